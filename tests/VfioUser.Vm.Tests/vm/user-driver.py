"""An NVMe driver in user space, on vfio-pci: maps and unmaps memory as its users do, and looks where the data went.

Usage: user-driver.py DEVICE, such as 0000:00:03.0, which is bound to vfio-pci. Last line: "user driver: done".
"""
import ctypes
import fcntl
import mmap
import os
import struct
import sys
import time

PAGE = 4096
MAPS = 2000
QUEUES, MANY, ONE = 0x1000_0000, 0x2000_0000, 0x8000_0000
SERIAL = slice(4, 16)


def request(number):
    return ord(";") << 8 | 100 + number


SET_IOMMU, SET_CONTAINER, GET_DEVICE_FD, MAP_DMA, UNMAP_DMA = map(request, (2, 4, 6, 13, 14))
TYPE1_V2, UNMAP_ALL = 3, 2
CONFIG = 7 << 40


class Memory:
    def __init__(self, pages):
        self.bytes = mmap.mmap(-1, pages * PAGE)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self.bytes))

    def page(self, number):
        return self.bytes[number * PAGE:(number + 1) * PAGE]


class Device:
    def __init__(self, name):
        group = os.path.basename(os.readlink(f"/sys/bus/pci/devices/{name}/iommu_group"))
        self.container = os.open("/dev/vfio/vfio", os.O_RDWR)
        self.group = os.open(f"/dev/vfio/{group}", os.O_RDWR)
        fcntl.ioctl(self.group, SET_CONTAINER, struct.pack("i", self.container))
        fcntl.ioctl(self.container, SET_IOMMU, TYPE1_V2)
        self.file = fcntl.ioctl(self.group, GET_DEVICE_FD, bytearray(name.encode() + b"\0"))
        os.pwrite(self.file, struct.pack("<H", 6), CONFIG + 4)  # memory space, bus master

    def map(self, memory, first, pages, iova):
        fcntl.ioctl(self.container, MAP_DMA, struct.pack("<IIQQQ", 32, 3, memory.address + first * PAGE, iova, pages * PAGE))

    def unmap(self, iova, pages):
        fcntl.ioctl(self.container, UNMAP_DMA, bytearray(struct.pack("<IIQQ", 24, 0, iova, pages * PAGE)))

    def unmap_all(self):
        fcntl.ioctl(self.container, UNMAP_DMA, bytearray(struct.pack("<IIQQ", 24, UNMAP_ALL, 0, 0)))

    def read(self, offset):
        return struct.unpack("<I", os.pread(self.file, 4, offset))[0]

    def write(self, offset, value):
        os.pwrite(self.file, struct.pack("<I", value), offset)


class Controller:
    ENTRIES = 64

    def __init__(self, device):
        self.device = device
        self.memory = Memory(2)
        self.tail = self.head = 0
        self.phase = 1
        device.map(self.memory, 0, 2, QUEUES)
        device.write(0x14, 0)
        self.wait_until(lambda: device.read(0x1C) & 1 == 0)
        device.write(0x24, (self.ENTRIES - 1) * 0x10001)
        for offset, address in ((0x28, QUEUES), (0x30, QUEUES + PAGE)):
            device.write(offset, address)
            device.write(offset + 4, 0)
        device.write(0x14, 1 | 6 << 16 | 4 << 20)
        self.wait_until(lambda: device.read(0x1C) & 1 == 1)

    def identify(self, iova):
        """Has the controller write a page that begins with its serial number; gives the status."""
        command = struct.pack("<IIQQQQI", 6 | self.tail << 16, 0, 0, 0, iova, 0, 1).ljust(64, b"\0")
        self.memory.bytes[self.tail * 64:self.tail * 64 + 64] = command
        self.tail = (self.tail + 1) % self.ENTRIES
        self.device.write(0x1000, self.tail)
        place = PAGE + self.head * 16 + 14
        self.wait_until(lambda: self.memory.bytes[place] & 1 == self.phase)
        status = struct.unpack("<H", self.memory.bytes[place:place + 2])[0] >> 1
        self.head = (self.head + 1) % self.ENTRIES
        self.phase ^= self.head == 0
        self.device.write(0x1004, self.head)
        return status

    @staticmethod
    def wait_until(condition):
        end = time.monotonic() + 60
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError("the controller does not answer")
            time.sleep(0.001)


def expect(condition, what):
    if not condition:
        sys.exit(f"user driver: {what}")


def main(name):
    device = Device(name)
    controller = Controller(device)
    old, new = Memory(MAPS), Memory(MAPS)

    for i in range(MAPS):
        device.map(old, i, 1, MANY + i * PAGE)
    for i in range(0, MAPS, 97):
        expect(controller.identify(MANY + i * PAGE) == 0, f"page {i} of many mappings was refused")
        expect(old.page(i)[SERIAL].startswith(b"VFIOUSER"), f"page {i} of many mappings was not written")

    # one range with many mappings in it, and space before and behind them where there are none
    device.unmap(MANY - PAGE * 16, MAPS // 2 + 16)
    old.bytes[:] = bytes(MAPS * PAGE)
    expect(controller.identify(MANY) != 0, "a page that is not mapped any more was written")
    device.map(new, 0, MAPS // 2, MANY)
    for i in range(0, MAPS, 97):
        expect(controller.identify(MANY + i * PAGE) == 0, f"page {i} was refused after it was mapped again")
        there, other = (new, old) if i < MAPS // 2 else (old, new)
        expect(there.page(i)[SERIAL].startswith(b"VFIOUSER"), f"page {i} was not written where it is mapped now")
        expect(other.page(i) == bytes(PAGE), f"page {i} was written where it was mapped before")

    # again and again the same address, each time other memory
    new.bytes[:] = bytes(MAPS * PAGE)
    for i in range(64):
        device.map(new, i, 1, ONE)
        expect(controller.identify(ONE) == 0, f"mapping {i} of one address was refused")
        expect(new.page(i)[SERIAL].startswith(b"VFIOUSER"), f"mapping {i} of one address was not written")
        expect(new.page(i + 1) == bytes(PAGE), f"mapping {i} of one address wrote elsewhere")
        device.unmap(ONE, 1)

    device.write(0x14, 0)
    device.unmap_all()
    print("user driver: done")


main(sys.argv[1])
