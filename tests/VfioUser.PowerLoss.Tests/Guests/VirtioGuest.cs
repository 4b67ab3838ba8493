using System.Runtime.InteropServices;
using VfioUser.PowerLoss.Tests.Load;
using VfioUser.Virtio;

namespace VfioUser.PowerLoss.Tests.Guests;

/// <summary>A virtio block device and a driver with two queues.</summary>
internal sealed class VirtioGuest : IBlockGuest
{
    private const int BufferSize = Workload.MostSectors * Operation.SectorSize;
    private const int StatusOffset = 64; // behind the header

    private readonly Disk _disk;
    private readonly VirtioBlock _device;
    private readonly TestGuest _guest;
    private readonly VirtioDriver _driver;
    private readonly Iova[] _buffers;
    private readonly Iova[] _headers;
    private readonly Dictionary<(int Queue, ushort Buffer), int> _slots = [];
    private readonly byte[] _data = new byte[BufferSize];

    public VirtioGuest(Disk disk, int blockSize)
    {
        (_disk, BlockSize) = (disk, blockSize);
        _device = new VirtioBlock(disk, new VirtioBlockOptions { BlockSize = blockSize, Queues = 2 });
        _guest = TestGuest.Attach(_device, new TestGuestOptions { Timeout = TimeSpan.FromSeconds(60) });
        _driver = VirtioDriver.Start(_guest);
        _buffers = [.. Enumerable.Range(0, Slots).Select(_ => _guest.Memory.Allocate(BufferSize))];
        _headers = [.. Enumerable.Range(0, Slots).Select(_ => _guest.Memory.Allocate(StatusOffset + 1))];
    }

    public int Slots => 8;

    public int BlockSize { get; }

    public bool HasDurableWrites => false;

    public void Post(int slot, in Operation operation)
    {
        BlockHeader header = new(TypeOf(operation.Kind), 0, operation.Kind is OperationKind.Read or OperationKind.Write ? (ulong)operation.Sector : 0);
        _guest.Memory.WriteStruct(_headers[slot], header);
        _guest.Memory.Write(_headers[slot] + StatusOffset, (byte)0xFF);
        int length = operation.Length;
        if (operation.Kind == OperationKind.Write)
        {
            Records.Fill(_data.AsSpan(0, length), operation.Sector, operation.Version);
            _guest.Memory.Write(_buffers[slot], _data.AsSpan(0, length));
        }
        else if (operation.Kind is OperationKind.Zero or OperationKind.Trim)
        {
            _guest.Memory.WriteStruct(_buffers[slot], new BlockRange((ulong)operation.Sector, (uint)operation.Count, 0));
            length = BlockRange.Size;
        }
        List<VirtioPart> parts = [new VirtioPart(_headers[slot], BlockHeader.Size, writable: false)];
        if (length > 0)
            parts.Add(new VirtioPart(_buffers[slot], length, writable: operation.Kind == OperationKind.Read));
        parts.Add(new VirtioPart(_headers[slot] + StatusOffset, 1, writable: true));
        VirtioDriverQueue queue = _driver.Queues[slot % 2];
        _slots[(slot % 2, queue.Add(CollectionsMarshal.AsSpan(parts)))] = slot;
        queue.Notify();
    }

    public bool TryTake(out int slot, out bool isDone)
    {
        for (int i = 0; i < 2; i++)
        {
            if (_driver.Queues[i].TryTake(out VirtioUsed used))
            {
                _slots.Remove((i, used.Id), out slot);
                isDone = _guest.Memory.Read<byte>(_headers[slot] + StatusOffset) == (byte)BlockStatus.Ok;
                return true;
            }
        }
        (slot, isDone) = (-1, false);
        return false;
    }

    public ReadOnlySpan<byte> DataOf(int slot, in Operation operation)
    {
        _guest.Memory.Read(_buffers[slot], _data.AsSpan(0, operation.Length));
        return _data.AsSpan(0, operation.Length);
    }

    public void TurnCacheOff() => _driver.WriteConfig(BlockConfig.WritebackOffset, (byte)0);

    public void Dispose()
    {
        _guest.Dispose();
        _device.Dispose();
        _disk.Dispose();
    }

    private static BlockRequestType TypeOf(OperationKind kind) => kind switch
    {
        OperationKind.Read => BlockRequestType.Read,
        OperationKind.Zero => BlockRequestType.WriteZeroes,
        OperationKind.Trim => BlockRequestType.Discard,
        OperationKind.Flush => BlockRequestType.Flush,
        _ => BlockRequestType.Write,
    };
}
