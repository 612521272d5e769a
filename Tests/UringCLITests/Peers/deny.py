"""Runs a command for which one system call fails, as a container's seccomp profile would have it.

    deny.py ERRNO COMMAND...

The call is io_uring_setup; ERRNO is a name such as EPERM.
"""

import ctypes
import errno
import os
import struct
import sys

IO_URING_SETUP = 425  # On every architecture: numbers are shared since Linux 5.1.

PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38
SECCOMP_MODE_FILTER = 2
SECCOMP_RET_ERRNO = 0x00050000
SECCOMP_RET_ALLOW = 0x7FFF0000
LOAD_WORD = 0x20  # BPF_LD | BPF_W | BPF_ABS
JUMP_IF_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
RETURN = 0x06  # BPF_RET | BPF_K


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def instruction(code, value, if_true=0, if_false=0):
    return struct.pack("HBBI", code, if_true, if_false, value)


def deny(number, failure):
    code = b"".join([
        instruction(LOAD_WORD, 0),  # The number of the call.
        instruction(JUMP_IF_EQUAL, number, if_false=1),
        instruction(RETURN, SECCOMP_RET_ERRNO | failure),
        instruction(RETURN, SECCOMP_RET_ALLOW),
    ])
    libc = ctypes.CDLL(None, use_errno=True)
    program = Program(len(code) // 8, code)
    calls = [
        (PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), ctypes.c_ulong(0)),
        (PR_SET_SECCOMP, ctypes.c_ulong(SECCOMP_MODE_FILTER), ctypes.byref(program)),
    ]
    for operation, argument, pointer in calls:
        if libc.prctl(operation, argument, pointer, ctypes.c_ulong(0), ctypes.c_ulong(0)) != 0:
            sys.exit(f"deny.py: prctl failed: {os.strerror(ctypes.get_errno())}")


deny(IO_URING_SETUP, getattr(errno, sys.argv[1]))
os.execv(sys.argv[2], sys.argv[2:])
