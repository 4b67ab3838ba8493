"""Boots another kernel from this one: no firmware, and no reset of the devices. Usage: kexec.py KERNEL INITRD COMMAND-LINE"""
import ctypes
import os
import sys

KEXEC_FILE_LOAD, REBOOT = 320, 169
MAGIC, MAGIC2, COMMAND_KEXEC = 0xFEE1DEAD, 672274793, 0x45584543

libc = ctypes.CDLL(None, use_errno=True)


def call(*arguments):
    if libc.syscall(*(ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments)) != 0:
        sys.exit(f"kexec: {os.strerror(ctypes.get_errno())}")


command_line = sys.argv[3].encode() + b"\0"
kernel, initrd = (os.open(path, os.O_RDONLY) for path in sys.argv[1:3])
call(KEXEC_FILE_LOAD, kernel, initrd, len(command_line), ctypes.c_char_p(command_line), 0)
call(REBOOT, MAGIC, MAGIC2, COMMAND_KEXEC, ctypes.c_char_p(None))
