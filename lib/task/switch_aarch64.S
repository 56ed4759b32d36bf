/* SPDX-License-Identifier: MIT */
/*
 * Stack switch for AAPCS64.  A parked stack holds 176 bytes from its stack pointer
 * up: x19..x28, x29, x30, d8..d15, FPCR, padding.  Entry points are landing pads
 * for BTI ("hint 34" is BTI C, written so that every assembler takes it).
 */
#if defined(__aarch64__) && !defined(TASK_SWITCH_UCONTEXT)

    .text

/* void task_switch_to(void **from_out, void *to) */
    .globl task_switch_to
    .hidden task_switch_to
    .type task_switch_to, %function
    .p2align 4
task_switch_to:
    .cfi_startproc
    hint #34
    sub sp, sp, #176
    .cfi_adjust_cfa_offset 176
    stp x19, x20, [sp, #0]
    .cfi_rel_offset x19, 0
    .cfi_rel_offset x20, 8
    stp x21, x22, [sp, #16]
    .cfi_rel_offset x21, 16
    .cfi_rel_offset x22, 24
    stp x23, x24, [sp, #32]
    .cfi_rel_offset x23, 32
    .cfi_rel_offset x24, 40
    stp x25, x26, [sp, #48]
    .cfi_rel_offset x25, 48
    .cfi_rel_offset x26, 56
    stp x27, x28, [sp, #64]
    .cfi_rel_offset x27, 64
    .cfi_rel_offset x28, 72
    stp x29, x30, [sp, #80]
    .cfi_rel_offset x29, 80
    .cfi_rel_offset x30, 88
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mrs x9, fpcr
    str x9, [sp, #160]
    mov x10, sp
    str x10, [x0]
    /* Both stacks have the same layout here, so the unwind rules stay true. */
    mov sp, x1
    ldr x11, [sp, #160]
    cmp x11, x9                 /* writing FPCR is slow, and seldom needed */
    b.eq 1f
    msr fpcr, x11
1:
    ldp d14, d15, [sp, #144]
    ldp d12, d13, [sp, #128]
    ldp d10, d11, [sp, #112]
    ldp d8, d9, [sp, #96]
    ldp x29, x30, [sp, #80]
    .cfi_restore x29
    .cfi_restore x30
    ldp x27, x28, [sp, #64]
    .cfi_restore x27
    .cfi_restore x28
    ldp x25, x26, [sp, #48]
    .cfi_restore x25
    .cfi_restore x26
    ldp x23, x24, [sp, #32]
    .cfi_restore x23
    .cfi_restore x24
    ldp x21, x22, [sp, #16]
    .cfi_restore x21
    .cfi_restore x22
    ldp x19, x20, [sp, #0]
    .cfi_restore x19
    .cfi_restore x20
    add sp, sp, #176
    .cfi_adjust_cfa_offset -176
    ret
    .cfi_endproc
    .size task_switch_to, . - task_switch_to

/* void *task_switch_prepare(void *top, void (*entry)(void *), void *argument) */
    .globl task_switch_prepare
    .hidden task_switch_prepare
    .type task_switch_prepare, %function
    .p2align 4
task_switch_prepare:
    .cfi_startproc
    hint #34
    and x0, x0, #-16
    sub x0, x0, #176
    stp x1, x2, [x0, #0]        /* x19: entry, x20: argument */
    stp xzr, xzr, [x0, #16]
    stp xzr, xzr, [x0, #32]
    stp xzr, xzr, [x0, #48]
    stp xzr, xzr, [x0, #64]
    adr x9, start
    stp xzr, x9, [x0, #80]      /* x29: end of the frame chain */
    stp xzr, xzr, [x0, #96]
    stp xzr, xzr, [x0, #112]
    stp xzr, xzr, [x0, #128]
    stp xzr, xzr, [x0, #144]
    mrs x9, fpcr
    stp x9, xzr, [x0, #160]
    ret
    .cfi_endproc
    .size task_switch_prepare, . - task_switch_prepare

/* The first frame of every fiber; unwinders stop here. */
    .type start, %function
    .p2align 4
start:
    .cfi_startproc
    .cfi_undefined x30
    hint #34
    mov x0, x20
    blr x19
    brk #1
    .cfi_endproc
    .size start, . - start

    .section .note.gnu.property, "a"
    .p2align 3
    .word 4                     /* length of the name */
    .word 16                    /* length of the description */
    .word 5                     /* NT_GNU_PROPERTY_TYPE_0 */
    .asciz "GNU"
    .word 0xc0000000            /* GNU_PROPERTY_AARCH64_FEATURE_1_AND */
    .word 4
    .word 1                     /* BTI */
    .word 0

#endif

#if defined(__linux__)
    .section .note.GNU-stack, "", %progbits
#endif
