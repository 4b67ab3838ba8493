using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using VfioUser;
using VfioUser.Disks;
using VfioUser.Testing;
using VfioUser.Virtio;
using Virtio.Cli;

namespace Virtio.Kinds;

/// <summary>A disk.</summary>
internal sealed class BlockKind : DeviceKind
{
    private const long DefaultMemorySize = 1L << 30;

    // a server of a disk may be gone for good
    private static readonly TimeSpan FlushLimit = TimeSpan.FromMinutes(1);

    private readonly Option<string?> _disk = new("--disk", "-d") { Description = "File, block device, memory:SIZE, nbd:// or nbd+unix:// address, or rbd:POOL/IMAGE. Without it: a disk in memory." };
    private readonly Option<string?> _size = new("--size") { Description = "Size such as 512M or 10G: of the disk in memory, or of a file that is to be made." };
    private readonly Option<FileCacheMode> _cache = new("--cache")
    {
        Description = "How a file uses the page cache, by QEMU's names: writeback, none, writethrough, directsync, unsafe.",
        DefaultValueFactory = _ => new DiskOptions().Cache,
    };
    private readonly Option<int> _queues = new("--queues") { Description = "Queues, 1 to 64.", DefaultValueFactory = _ => new VirtioBlockOptions().Queues };
    private readonly Option<int> _queueSize = new("--queue-size") { Description = "Entries of a queue, a power of two.", DefaultValueFactory = _ => new VirtioBlockOptions().QueueSize };
    private readonly Option<int> _blockSize = new("--block-size") { Description = "Bytes in a logical block: 512 or 4096.", DefaultValueFactory = _ => 512 };
    private readonly Option<string?> _serial = new("--serial") { Description = "Serial number, up to 20 characters; by default it follows from the disk." };
    private readonly Option<bool> _readOnly = new("--read-only") { Description = "Refuse writes." };
    private readonly Option<bool> _incoming = new("--incoming") { Description = "Another host serves the disk until its guest has migrated here." };
    private readonly Option<bool> _split = new("--no-packed") { Description = "Do not offer packed rings." };

    public override string Name => "block";

    public override string Description => "Serves a disk: /dev/vda.";

    public override IReadOnlyList<Option> Options => [_disk, _size, _cache, _queues, _queueSize, _blockSize, _serial, _readOnly, _incoming, _split];

    public override async Task<ServedDevices> OpenAsync(ParseResult parsed, int sockets)
    {
        long? size = parsed.GetValue(_size) is not { } text ? null
            : ByteSize.TryParse(text) is { } found and > 0 && found % 4096 == 0 ? found
            : throw new ArgumentException($"'{text}' is no size: a multiple of 4096 bytes such as 512M or 10G.");
        Disk disk = parsed.GetValue(_disk) is not { } address ? new MemoryDisk(size ?? DefaultMemorySize)
            : await DiskAddress.Parse(address).OpenAsync(new DiskOptions
            {
                Size = size,
                Cache = parsed.GetValue(_cache),
                IsReadOnly = parsed.GetValue(_readOnly),
                IsIncoming = parsed.GetValue(_incoming),
                Log = line => Console.Error.WriteLine($"virtio: {line}"),
            });
        try
        {
            VirtioBlock device = new(disk, new VirtioBlockOptions
            {
                Queues = parsed.GetValue(_queues),
                QueueSize = parsed.GetValue(_queueSize),
                BlockSize = parsed.GetValue(_blockSize),
                SerialNumber = parsed.GetValue(_serial),
                IsReadOnly = parsed.GetValue(_readOnly),
                OffersPackedRings = !parsed.GetValue(_split),
            });
            return new ServedDevices(device) { HangUp = () => (disk as FileDisk)?.UpdateSize(), Close = () => CloseAsync(disk) };
        }
        catch
        {
            disk.Dispose();
            throw;
        }
    }

    public override void Demo(TextWriter output)
    {
        const int piece = 64 << 10;
        const int diskSize = 64 << 20;
        using MemoryDisk disk = new(diskSize);
        using VirtioBlock device = new(disk);
        using TestGuest guest = TestGuest.Attach(device);
        VirtioDriver driver = VirtioDriver.Start(guest);
        Stopwatch clock = Stopwatch.StartNew();
        byte[] data = new byte[piece];
        Iova header = guest.Memory.Allocate(16);
        Iova memory = guest.Memory.Allocate(piece);
        Iova status = guest.Memory.Allocate(1);

        for (int at = 0; at < diskSize; at += piece)
        {
            Fill(data, at);
            guest.Memory.Write(memory, data);
            Transfer(isWrite: true, at);
        }
        for (int at = 0; at < diskSize; at += piece)
        {
            Transfer(isWrite: false, at);
            Fill(data, at);
            if (!guest.Memory.ReadBytes(memory, piece).AsSpan().SequenceEqual(data))
                throw new InvalidOperationException($"What was read at {at} is not what was written.");
        }

        double rate = 2.0 * diskSize / clock.Elapsed.TotalSeconds / 1e9;
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"block: {diskSize >> 20} MiB written, read and compared, {rate:F2} GB/s"));

        void Transfer(bool isWrite, int at)
        {
            guest.Memory.Write(header, isWrite ? 1ul : 0);
            guest.Memory.Write(header + 8, (ulong)at / 512);
            guest.Memory.Write(status, (byte)0xFF);
            driver.Queues[0].Add(
                new VirtioPart(header, 16, writable: false),
                new VirtioPart(memory, piece, writable: !isWrite),
                new VirtioPart(status, 1, writable: true));
            driver.Queues[0].Notify();
            driver.Queues[0].Take();
            if (guest.Memory.Read<byte>(status) is not 0 and var failure)
                throw new InvalidOperationException($"The request at {at} has failed with status {failure}.");
        }
    }

    // writes that the guest has not flushed must not be lost because this process ends
    private static async ValueTask CloseAsync(Disk disk)
    {
        using (disk)
        {
            if (disk.IsActive)
                await disk.FlushAsync().AsTask().WaitAsync(FlushLimit);
        }
    }

    private static void Fill(Span<byte> data, int at)
    {
        Span<int> words = MemoryMarshal.Cast<byte, int>(data);
        for (int i = 0; i < words.Length; i++)
            words[i] = at + 4 * i;
    }
}
