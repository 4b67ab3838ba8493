using Nvme.Driver;
using VfioUser.Nvme;
using VfioUser.PowerLoss.Tests.Load;

namespace VfioUser.PowerLoss.Tests.Guests;

/// <summary>An NVMe controller and a driver with two queues.</summary>
internal sealed class NvmeGuest : IBlockGuest
{
    private const int BufferSize = Workload.MostSectors * Operation.SectorSize;
    private const int Page = 4096;
    private const uint VolatileWriteCache = 0x06;

    private readonly Disk _disk;
    private readonly NvmeController _controller;
    private readonly TestGuest _guest;
    private readonly NvmeDriver _driver;
    private readonly DriverQueue[] _queues;
    private readonly Iova[] _buffers;
    private readonly Iova[] _lists;
    private readonly byte[] _data = new byte[BufferSize];

    public NvmeGuest(Disk disk, int blockSize)
    {
        (_disk, BlockSize) = (disk, blockSize);
        _controller = new NvmeController([disk], new NvmeControllerOptions { BlockSize = blockSize });
        _guest = TestGuest.Attach(_controller, new TestGuestOptions { Timeout = TimeSpan.FromSeconds(60) });
        _driver = new NvmeDriver(_guest);
        _driver.Enable();
        _queues = [_driver.CreateQueue(1), _driver.CreateQueue(2)];
        _buffers = [.. Enumerable.Range(0, Slots).Select(_ => _guest.Memory.Allocate(BufferSize))];
        _lists = [.. _buffers.Select(buffer =>
        {
            Iova list = _guest.Memory.Allocate(Page);
            for (int page = 1; page < BufferSize / Page; page++)
                _guest.Memory.Write(list + (ulong)(sizeof(ulong) * (page - 1)), buffer.Value + (ulong)(Page * page));
            return list;
        })];
    }

    public int Slots => 8;

    public int BlockSize { get; }

    public bool HasDurableWrites => true;

    public void Post(int slot, in Operation operation)
    {
        if (operation.Kind is OperationKind.Write or OperationKind.DurableWrite)
        {
            Records.Fill(_data.AsSpan(0, operation.Length), operation.Sector, operation.Version);
            _guest.Memory.Write(_buffers[slot], _data.AsSpan(0, operation.Length));
        }
        DriverQueue queue = _queues[slot % _queues.Length];
        queue.PutAs((ushort)slot, CommandOf(slot, operation));
        queue.Ring();
    }

    public bool TryTake(out int slot, out bool isDone)
    {
        foreach (DriverQueue queue in _queues)
        {
            if (queue.TryTake(out Completion completion))
            {
                (slot, isDone) = (completion.CommandId, completion.Status == Status.Success);
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

    public void TurnCacheOff() =>
        NvmeDriver.Expect(_driver.Admin.Execute(NewCommand.Admin(AdminOpcode.SetFeatures, dword10: VolatileWriteCache, dword11: 0)));

    public void Dispose()
    {
        _driver.Dispose();
        _guest.Dispose();
        _controller.Dispose();
        _disk.Dispose();
    }

    private Command CommandOf(int slot, in Operation operation)
    {
        ulong lba = (ulong)(operation.Sector * Operation.SectorSize / BlockSize);
        int blocks = operation.Length / BlockSize;
        Iova second = operation.Length > 2 * Page ? _lists[slot] : _buffers[slot] + Page;
        switch (operation.Kind)
        {
            case OperationKind.Read:
                return NewCommand.Io(IoOpcode.Read, lba, blocks, _buffers[slot], second);
            case OperationKind.Write or OperationKind.DurableWrite:
                return NewCommand.Io(IoOpcode.Write, lba, blocks, _buffers[slot], second, fua: operation.Kind == OperationKind.DurableWrite);
            case OperationKind.Zero:
                return NewCommand.Io(IoOpcode.WriteZeroes, lba, blocks);
            case OperationKind.Trim:
                _guest.Memory.Write(_buffers[slot], [0, 0, 0, 0, .. BitConverter.GetBytes(blocks), .. BitConverter.GetBytes(lba)]);
                return NewCommand.Io(IoOpcode.DatasetManagement, prp1: _buffers[slot]) with { Dword10 = 0, Dword11 = 1 << 2, Dword12 = 0 };
            default:
                return NewCommand.Io(IoOpcode.Flush);
        }
    }
}
