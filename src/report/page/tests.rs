use super::super::course::tests::recorded;
use super::*;
use crate::onlooker::Told;
use crate::record::Exchange;

/// The elements that are open at the end of a text that is XML, or what is wrong with it.
fn open(text: &str) -> Result<Vec<String>, String> {
    let mut open = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let tag = &rest[..rest.find('>').ok_or_else(|| format!("no end of <{rest:.40}"))?];
        let name = tag.split([' ', '/', '\n']).next().unwrap_or_default();
        if let Some(name) = tag.strip_prefix('/') {
            let last: Option<String> = open.pop();
            if last.as_deref() != Some(name) {
                return Err(format!("</{name}> ends <{last:?}>"));
            }
        } else if !tag.ends_with('/') && !tag.starts_with('!') {
            open.push(name.to_owned());
        }
        if !tag.matches('"').count().is_multiple_of(2) {
            return Err(format!("quotes in <{tag}>"));
        }
        rest = &rest[tag.len()..];
    }
    Ok(open)
}

#[test]
fn a_page_is_well_formed_and_tells_everything() {
    let page = page(&recorded(), &Ending::Well("the value".into()));
    assert_eq!(open(&page), Ok(Vec::new()));
    for part in
        ["patch.rhai", "the value", "db1 → target by postcopy", "5 ms", "20 ms", "live_patch(vm);", "agree"]
    {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn nothing_that_a_guest_writes_is_markup() {
    let hostile = "</pre><script>alert(1)</script><!-- \" ' &";
    let mut account = recorded();
    account.title = hostile.into();
    account.recipe = hostile.into();
    account.start = -1e6;
    for guest in &mut account.guests {
        for text in
            [&mut guest.name, &mut guest.stderr, &mut guest.console, &mut guest.version, &mut guest.qemu]
        {
            *text = hostile.into();
        }
        guest.args = vec![hostile.into()];
        guest.ended = Some(hostile.into());
    }
    for moment in &mut account.moments {
        if moment.status == "active" {
            moment.status = hostile.into();
        }
    }
    account.said(hostile);
    account.hear(&Told::Effect(hostile));
    account.hear(&Told::Step(hostile, &serde_json::json!({ "path": hostile })));
    let reply = Ok(hostile.to_owned());
    account.hear(&Told::Exchange(0, Exchange::Line(hostile, &reply)));
    account
        .hear(&Told::Exchange(1, Exchange::Event(&serde_json::json!({ "event": hostile, "data": hostile }))));
    for ending in
        [Ending::Well(hostile.into()), Ending::Early(hostile.into()), Ending::Badly(hostile.into(), 1)]
    {
        let page = page(&account, &ending);
        assert_eq!(open(&page), Ok(Vec::new()));
        assert!(!page.contains("<script") && !page.contains("<!--"), "{page}");
    }
}

#[test]
fn a_page_of_nothing_is_one_too() {
    let page = page(&Account::new("-", ""), &Ending::Early("exit 3".into()));
    assert_eq!(open(&page), Ok(Vec::new()));
    assert!(page.contains("exit 3") && !page.contains("<h2>Steps"), "{page}");
}

#[test]
fn looks_that_follow_each_other_are_folded() {
    let mut account = Account::new("test", "");
    account.guests.push(Guest { name: "db1".into(), ..Guest::default() });
    let (nothing, reply) = (serde_json::json!({}), Ok(serde_json::json!({ "status": "active" })));
    for _ in 0..10 {
        account.hear(&Told::Exchange(0, Exchange::Command("query-migrate", &nothing, &reply)));
    }
    let page = page(&account, &Ending::Well(String::new()));
    assert_eq!(page.matches("<code>query-migrate").count(), 2);
    assert!(page.contains("8 times more"));
    assert!(page.contains("10 exchanges with monitors"));
}
