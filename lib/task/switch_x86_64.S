/* SPDX-License-Identifier: MIT */
/*
 * Stack switch for the System V ABI on x86-64.  A parked stack holds, from its
 * stack pointer up: MXCSR and x87 control word (8 bytes), r15, r14, r13, r12, rbx,
 * rbp, return address.  Only IBT is announced in the property note: the return to
 * another stack would fail with a shadow stack.
 */
#if defined(__x86_64__) && !defined(TASK_SWITCH_UCONTEXT)

    .text

/* void task_switch_to(void **from_out, void *to) */
    .globl task_switch_to
    .hidden task_switch_to
    .type task_switch_to, @function
    .p2align 4
task_switch_to:
    .cfi_startproc
    endbr64
    pushq %rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbp, 0
    pushq %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbx, 0
    pushq %r12
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r12, 0
    pushq %r13
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r13, 0
    pushq %r14
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r14, 0
    pushq %r15
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r15, 0
    subq $8, %rsp
    .cfi_adjust_cfa_offset 8
    stmxcsr (%rsp)
    fnstcw 4(%rsp)
    movq %rsp, (%rdi)
    /* Both stacks have the same layout here, so the unwind rules stay true. */
    movq %rsi, %rsp
    ldmxcsr (%rsp)
    fldcw 4(%rsp)
    addq $8, %rsp
    .cfi_adjust_cfa_offset -8
    popq %r15
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r15
    popq %r14
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r14
    popq %r13
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r13
    popq %r12
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r12
    popq %rbx
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbx
    popq %rbp
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbp
    ret
    .cfi_endproc
    .size task_switch_to, . - task_switch_to

/* void *task_switch_prepare(void *top, void (*entry)(void *), void *argument) */
    .globl task_switch_prepare
    .hidden task_switch_prepare
    .type task_switch_prepare, @function
    .p2align 4
task_switch_prepare:
    .cfi_startproc
    endbr64
    andq $-16, %rdi
    leaq -80(%rdi), %rax
    stmxcsr (%rax)
    fnstcw 4(%rax)
    movw $0, 6(%rax)
    movq $0, 8(%rax)            /* r15 */
    movq $0, 16(%rax)           /* r14 */
    movq %rdx, 24(%rax)         /* r13: argument */
    movq %rsi, 32(%rax)         /* r12: entry */
    movq $0, 40(%rax)           /* rbx */
    movq $0, 48(%rax)           /* rbp: end of the frame chain */
    leaq start(%rip), %rdx
    movq %rdx, 56(%rax)
    movq $0, 64(%rax)           /* what "start" would return to */
    movq $0, 72(%rax)
    ret
    .cfi_endproc
    .size task_switch_prepare, . - task_switch_prepare

/* The first frame of every fiber; unwinders stop here. */
    .type start, @function
    .p2align 4
start:
    .cfi_startproc
    .cfi_undefined %rip
    endbr64
    movq %r13, %rdi
    call *%r12
    ud2
    .cfi_endproc
    .size start, . - start

    .section .note.gnu.property, "a"
    .p2align 3
    .long 4                     /* length of the name */
    .long 16                    /* length of the description */
    .long 5                     /* NT_GNU_PROPERTY_TYPE_0 */
    .asciz "GNU"
    .long 0xc0000002            /* GNU_PROPERTY_X86_FEATURE_1_AND */
    .long 4
    .long 1                     /* IBT */
    .long 0

#endif

#if defined(__linux__)
    .section .note.GNU-stack, "", %progbits
#endif
