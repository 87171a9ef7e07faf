"""Becomes a command that may use certain system calls only: confine.py FAMILIES CALLS COMMAND [ARGUMENT...]

FAMILIES are the numbers of the address families that socket() may be called with, CALLS are names, both
separated by commas. Anything else is refused with EPERM, as `SystemCallErrorNumber=EPERM` has it.
"""

import ctypes
import errno
import os
import sys

ALLOW = 0x7FFF0000
REFUSE = 0x00050000 | errno.EPERM
EQUAL = 4


class Comparison(ctypes.Structure):
    _fields_ = [
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("value", ctypes.c_uint64),
        ("other", ctypes.c_uint64),
    ]


def confine(families, calls):
    seccomp = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    seccomp.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(seccomp.seccomp_init(ctypes.c_uint32(REFUSE)))

    def add(call, conditions):
        array = (Comparison * len(conditions))(*conditions)
        return seccomp.seccomp_rule_add_array(
            context, ctypes.c_uint32(ALLOW), call, len(conditions), array
        )

    for name in calls:
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        # Those of other architectures, or newer than the library, have none.
        if name == "socket" or number < 0:
            continue
        if add(number, []):
            sys.exit(f"confine.py: cannot allow {name}")
    socket = seccomp.seccomp_syscall_resolve_name(b"socket")
    for family in families:
        if add(socket, [Comparison(0, EQUAL, family, 0)]):
            sys.exit("confine.py: cannot allow a family")
    if seccomp.seccomp_load(context):
        sys.exit("confine.py: the kernel refuses the filter")


confine([int(family) for family in sys.argv[1].split(",")], sys.argv[2].split(","))
os.execvp(sys.argv[3], sys.argv[3:])
