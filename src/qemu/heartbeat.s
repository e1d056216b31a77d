# The heartbeat guest: 512 bytes that count beats on COM1 and rewrite a range of
# memory, over and over, in a way that shows whether a byte of it was ever lost.
#
# QEMU hands it to the BIOS as an option ROM, so it needs no disk. It copies itself
# to 0x7c00, enters 32-bit protected mode, and from then on uses nothing but the
# interrupt controller, the timer and the serial port. `guest.rs` fills in the
# parameters and the checksum, and knows how to read what is described here.
#
#   as --32 heartbeat.s -o heartbeat.o
#   ld -m elf_i386 -Ttext=0x7c00 --entry=0 --oformat=binary heartbeat.o -o heartbeat.bin
#
# Memory. In pass 1, 2, … each page of the range, in ascending order, is filled with
# one 32-bit word: its address + pass * STEP. Before a page is filled, it is compared
# with what the pass before wrote, so damage is found before it is painted over.
#
# Status. The general registers hold all there is to know:
#
#   ebx  pass                  edi  the next page, or the one that is being written
#   ebp  beats so far          esi  MAGIC
#   edx  pages that may be written until the next tick, in 1/65536
#
# Before each page, each beat and each sleep, one instruction, `pushal`, puts all of
# them at STATUS, so a reader that stops the guest anywhere never sees a half-made
# status. Whatever it says, pages below edi are of this pass, pages above it of the
# pass before, and only the page at edi may be both: new up to some word, old from
# there on. Afterwards `popal` takes the registers from there again: like any guest,
# this one goes wrong if its busiest page is not what it left there.

        .set    PAGE, 4096
        .set    WORDS, PAGE / 4
        .set    STEP, 0x9e3779b1        # odd, so that each pass has its own word
        .set    MAGIC, 0x706f6871       # "qhop"
        .set    WHOLE, 1 << 16          # one page, in the unit of edx and `rate`

        .set    SECTOR, 0x7c00
        .set    IDT, 0x7e00
        .set    STACK, 0x8000           # in a page without code: TCG is slow to write where it has translated
        .set    STATUS, STACK + 0x60    # edi, esi, ebp, esp, ebx, edx, ecx, eax
        .set    STATUS_TOP, STATUS + 32
        .set    NOTICED, STATUS_TOP     # damaged pages; of the first: address of the bad word, the word, pass
        .set    NOTICED_END, NOTICED + 16

        .set    COM1, 0x3f8
        .set    TICK, 0x20              # the first vector that is not an exception

        .macro  out port, value
        movb    $\value, %al
        outb    %al, $\port
        .endm

        .text
        .code16
rom:    .byte   0x55, 0xaa, 1           # an option ROM of 1 * 512 bytes; the BIOS calls what follows
        cli
        cld
        xorw    %si, %si
        movw    %si, %es
        movw    $SECTOR, %di
        movw    $256, %cx
        rep movsw %cs:(%si), %es:(%di)
        ljmp    $0, $real
real:   movw    %cx, %ds
        inb     $0x92, %al              # A20 on; bit 0 would be a reset
        orb     $2, %al
        andb    $0xfe, %al
        outb    %al, $0x92
        lgdtl   gdt
        lidtl   idtr
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        ljmpl   $8, $flat

        .code32
flat:   movl    $16, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        movl    $STATUS_TOP, %esp

        # An exception means damaged code: it has no gate, and resets the machine.
        xorl    %eax, %eax
        movl    $IDT, %edi
        movl    $(NOTICED_END - IDT) / 4, %ecx
        rep stosl
        movl    $IDT + TICK * 8, %edi
        movb    $8, %cl                 # all of the controller: a spurious interrupt is its last line
1:      movl    $tick + (8 << 16), %eax
        stosl
        movl    $0x8e00, %eax           # present, 32-bit interrupt gate
        stosl
        loop    1b

        out     0x20, 0x11              # interrupt controller: vectors from TICK on, only the timer let through
        out     0x21, TICK
        out     0x21, 0x04
        out     0x21, 0x01
        out     0x21, 0xfe
        out     0xa1, 0xff
        out     0x43, 0x34              # timer: every `divisor` cycles of 1193182 Hz
        movl    divisor, %eax
        outb    %al, $0x40
        movb    %ah, %al
        outb    %al, $0x40
        movl    $COM1 + 2, %edx
        movb    $1, %al                 # FIFO on: it holds a whole line
        outb    %al, %dx
        incl    %edx
        movb    $3, %al                 # 8N1
        outb    %al, %dx

        movl    start, %edi
        movl    $1, %ebx
        xorl    %ebp, %ebp
        movl    $MAGIC, %esi
        orl     $-1, %edx

main:   pushal
        cmpl    $WHOLE, %edx
        jae     1f
        sti
        hlt                             # nothing to write before the next tick
1:      sti
        nop                             # a tick that is due comes in here, and nowhere else
        cli
        popal
        jmp     3f

# A tick. It does not return to where it came from, but goes on here: the gate has
# disabled interrupts, and where KVM emulates, it knows `iret` in real mode only.
tick:   out     0x20, 0x20              # end of interrupt
        movl    $STATUS, %esp
        popal
        movzwl  %dx, %edx               # pages that could not be written in time are not made up for
        addl    rate, %edx
        cmpl    $1, %ebx                # the first pass is not held back: soon all content is known
        jne     2f
        orl     $-1, %edx
2:      incl    %ebp
        pushal
        movl    $beat, %esi
        call    line
        popal

3:      cmpl    $WHOLE, %edx
        jb      main
        subl    $WHOLE, %edx

        pushal
        imull   $STEP, %ebx, %eax
        addl    %edi, %eax
        movl    %edi, %edx
        cmpl    $1, %ebx
        je      5f
        subl    $STEP, %eax
        movl    $WORDS, %ecx
        repe scasl
        je      4f
        call    bad
4:      addl    $STEP, %eax
        movl    %edx, %edi
5:      movl    $WORDS, %ecx
        rep stosl
        popal
        addl    $PAGE, %edi
        cmpl    end, %edi
        jb      main
        movl    start, %edi
        incl    %ebx
        jmp     main

# Print, and if it is the first, record the bad word before edi.
bad:    pushal
        leal    -4(%edi), %ebp
        cmpl    $0, NOTICED
        jne     1f
        movl    %ebp, NOTICED + 4
        movl    (%ebp), %eax
        movl    %eax, NOTICED + 8
        movl    %ebx, NOTICED + 12
1:      incl    NOTICED                 # last: without it the rest does not count
        movl    $fail, %esi
        call    line
        popal
        ret

# Print the 5 characters at esi and the number ebp, unless the line before is still
# on its way: a console that nobody reads must not stop the guest.
line:   movl    $COM1 + 5, %edx
        inb     %dx, %al
        testb   $0x20, %al
        jz      3f
        movb    $COM1 & 0xff, %dl
        movl    $5, %ecx
        rep outsb
        movb    $8, %cl
1:      roll    $4, %ebp
        movl    %ebp, %eax
        andb    $15, %al
        addb    $'0', %al
        cmpb    $'9', %al
        jbe     2f
        addb    $'a' - '0' - 10, %al
2:      outb    %al, %dx
        loop    1b
        movb    $'\n', %al
        outb    %al, %dx
3:      ret

beat:   .ascii  "beat "
fail:   .ascii  "fail "

        .balign 8
gdt:    .word   23                      # the unused first entry holds the table's own address
        .long   gdt
        .word   0
        .quad   0x00cf9b000000ffff      # 8: code, all of memory; marked as accessed, so that the processor need not
        .quad   0x00cf93000000ffff      # 16: data
idtr:   .word   (TICK + 8) * 8 - 1
        .long   IDT

        # The parameters, at an offset that `guest.rs` knows.
        .org    rom + 0x1ec
start:  .long   0                       # first byte
end:    .long   0                       # first byte after the last page
rate:   .long   0                       # pages to write after each tick, in 1/65536
divisor: .long  0                       # of the timer, at most 65535
        .byte   0, 0, 0
sum:    .byte   0                       # makes the sum of all bytes 0
