"""A driver in user space, on vfio-pci, of the copy engine that samples/Verilog/rtl/copy_crc.v describes.

Usage: copy-driver.py DEVICE, such as 0000:00:03.0, which is bound to vfio-pci. Last line: "copy driver: done".
"""
import ctypes
import fcntl
import mmap
import os
import struct
import sys
import time

PAGE = 4096
PAGES = 4
MEMORY, NOWHERE = 0x1_0000_0000, 0x2_0000_0000
CONFIG = 7 << 40
ID, CONTROL, STATUS, LENGTH, SOURCE, DESTINATION, CHECKSUM = 0x00, 0x04, 0x08, 0x0C, 0x10, 0x18, 0x20
START, COPY, INTERRUPT = 1, 2, 4
BUSY, DONE, ERROR = 1, 2, 4


def request(number):
    return ord(";") << 8 | 100 + number


SET_IOMMU, SET_CONTAINER, GET_DEVICE_FD, SET_IRQS, RESET, MAP_DMA = map(request, (2, 4, 6, 10, 11, 13))
TYPE1_V2, MSIX, EVENTFD_TRIGGER = 3, 2, 1 << 2 | 1 << 5


def expect(condition, what):
    if not condition:
        sys.exit(f"copy driver: {what}")


class Engine:
    def __init__(self, name):
        group = os.path.basename(os.readlink(f"/sys/bus/pci/devices/{name}/iommu_group"))
        self.container = os.open("/dev/vfio/vfio", os.O_RDWR)
        self.group = os.open(f"/dev/vfio/{group}", os.O_RDWR)
        fcntl.ioctl(self.group, SET_CONTAINER, struct.pack("i", self.container))
        fcntl.ioctl(self.container, SET_IOMMU, TYPE1_V2)
        self.file = fcntl.ioctl(self.group, GET_DEVICE_FD, bytearray(name.encode() + b"\0"))
        self.memory = mmap.mmap(-1, PAGES * PAGE)
        address = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        fcntl.ioctl(self.container, MAP_DMA, struct.pack("<IIQQQ", 32, 3, address, MEMORY, PAGES * PAGE))
        self.interrupt = os.eventfd(0, os.EFD_NONBLOCK)
        self.start()

    def start(self):
        os.pwrite(self.file, struct.pack("<H", 6), CONFIG + 4)  # memory space, bus master
        fcntl.ioctl(self.file, SET_IRQS, struct.pack("<IIIIIi", 24, EVENTFD_TRIGGER, MSIX, 0, 1, self.interrupt))

    def read(self, offset):
        return struct.unpack("<I", os.pread(self.file, 4, offset))[0]

    def write(self, offset, value):
        os.pwrite(self.file, struct.pack("<I", value), offset)

    def write_address(self, offset, value):
        self.write(offset, value & 0xFFFFFFFF)
        self.write(offset + 4, value >> 32)

    def run(self, source, destination, length):
        self.write_address(SOURCE, source)
        self.write_address(DESTINATION, destination or 0)
        self.write(LENGTH, length)
        self.write(CONTROL, START | INTERRUPT | (COPY if destination else 0))
        self.wait()
        status = self.read(STATUS)
        self.write(STATUS, DONE | ERROR)
        return status

    def wait(self):
        end = time.monotonic() + 60
        while True:
            try:
                return os.eventfd_read(self.interrupt)
            except BlockingIOError:
                expect(time.monotonic() < end, "no interrupt has come")
                time.sleep(0.001)


def main(name):
    engine = Engine(name)
    expect(engine.read(ID) == 0x43524332, "the identity is wrong")

    engine.memory[:9] = b"123456789"
    expect(engine.run(MEMORY, None, 9) == DONE, "the sum failed")
    expect(engine.read(CHECKSUM) == 0xE3069283, "the sum is wrong")

    length = PAGE + 123
    data = bytes(i * 7 & 0xFF for i in range(length))
    engine.memory[:length] = data
    expect(engine.run(MEMORY, MEMORY + 2 * PAGE, length) == DONE, "the copy failed")
    expect(engine.memory[2 * PAGE:2 * PAGE + length] == data, "the copy is not what was copied")
    expect(engine.memory[2 * PAGE + length:] == bytes(2 * PAGE - length), "the copy is longer than what was copied")

    expect(engine.run(NOWHERE, None, 8) == ERROR, "memory that is not mapped was read")

    engine.write(LENGTH, 99)
    fcntl.ioctl(engine.file, RESET)
    engine.start()
    expect(engine.read(LENGTH) == 0, "the reset has not reset the hardware")
    expect(engine.run(MEMORY, None, length) == DONE, "the hardware does not work after a reset")
    print("copy driver: done")


main(sys.argv[1])
