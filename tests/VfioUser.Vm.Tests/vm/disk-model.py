"""Writes, zeroes, trims and reads a disk at random, in pieces of one block up to 128 KiB, and compares it with a copy in memory.
Usage: disk-model.py DISK SECONDS SEED [SKIPPED-BYTES]"""
import fcntl, mmap, os, struct, sys, time  # the guest's Python has no more

BLKDISCARD, BLKZEROOUT, BLKSSZGET = 0x1277, 0x127F, 0x1268
SIZE, LONGEST = 24 << 20, 128 << 10

path, seconds, seed = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
skipped = int(sys.argv[4]) if len(sys.argv) > 4 else 0
state = seed
disk = os.open(path, os.O_RDWR | os.O_DIRECT)
block = struct.unpack("i", fcntl.ioctl(disk, BLKSSZGET, b"\0" * 4))[0]
buffer = mmap.mmap(-1, LONGEST)
model = bytearray(SIZE)
known = bytearray(SIZE // block)  # 0: trimmed, and may be anything
fcntl.ioctl(disk, BLKZEROOUT, struct.pack("QQ", skipped, SIZE))
known[:] = b"\1" * len(known)
done = {"write": 0, "zero": 0, "trim": 0, "read": 0, "flush": 0}


def below(limit):
    global state
    state = (state * 6364136223846793005 + 1442695040888963407) & (1 << 64) - 1
    return (state >> 33) % limit


def compare(at, length):
    view = memoryview(buffer)[:length]
    if os.preadv(disk, [view], skipped + at) != length:
        sys.exit(f"short read at {at}")
    for i in range(0, length, block):
        if known[(at + i) // block] and view[i:i + block] != model[at + i:at + i + block]:
            sys.exit(f"block at {at + i} of {block} bytes differs after {done}")


end = time.monotonic() + seconds
while time.monotonic() < end:
    length = block * (1 + below(min(LONGEST, 4096 << below(6)) // block))
    at = block * below((SIZE - length) // block + 1)
    chance = below(100)
    what = "write" if chance < 50 else "zero" if chance < 60 else "trim" if chance < 70 else "read" if chance < 98 else "flush"
    done[what] += 1
    blocks = slice(at // block, (at + length) // block)
    if what == "write":
        data = os.urandom(length)
        buffer[:length] = data
        if os.pwritev(disk, [memoryview(buffer)[:length]], skipped + at) != length:
            sys.exit(f"short write at {at}")
        model[at:at + length] = data
    elif what == "zero":
        fcntl.ioctl(disk, BLKZEROOUT, struct.pack("QQ", skipped + at, length))
        model[at:at + length] = bytes(length)
    elif what == "trim":
        fcntl.ioctl(disk, BLKDISCARD, struct.pack("QQ", skipped + at, length))
    elif what == "read":
        compare(at, length)
    else:
        os.fsync(disk)
    if what in ("write", "zero"):
        known[blocks] = b"\1" * (blocks.stop - blocks.start)
    elif what == "trim":
        known[blocks] = bytes(blocks.stop - blocks.start)
for at in range(0, SIZE, LONGEST):
    compare(at, LONGEST)
print(f"model agrees, blocks of {block}:", *(f"{count} {what}s" for what, count in done.items()))
