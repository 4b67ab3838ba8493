using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace VfioUser.Migration.Tests;

/// <summary>
/// Scribbles over guest memory on a thread of its own for as long as it runs. Every number that it writes follows from the
/// one before, so that whoever sees the memory later can tell whether a write was lost or came after the stop.
/// </summary>
public sealed class BusyDevice : PciDevice, IMigrationState
{
    public const int HistorySize = 1 << 20;
    public const int BaseRegister = 0x00;
    public const int SizeRegister = 0x08;
    public const int StepsRegister = 0x10;
    public const int GoRegister = 0x18;

    private readonly Register<ulong> _base;
    private readonly Register<ulong> _size;
    private readonly Register<ulong> _steps;
    private readonly byte[] _history = new byte[HistorySize];
    private ulong _seed = 1;
    private Thread? _worker;
    private volatile bool _stop;
    private int _saved;
    private int _restored;

    public BusyDevice()
        : base(new PciId(Vendor: 0x1B36, Device: 0x00F4), PciClass.Other)
    {
        RequiresBusMaster = false;
        Bar bar = AddBar(0, BarKind.Memory32, 0x4000);
        _base = bar.AddRegister<ulong>(BaseRegister);
        _size = bar.AddRegister<ulong>(SizeRegister);
        _steps = bar.AddRegister<ulong>(StepsRegister, RegisterAccess.ReadOnly);
        bar.AddDoorbell(GoRegister, Work);
        Shared = bar.ShareMemory(new MemoryArea(0x2000, 0x2000));
        AddIntx();
        EnableMigration(this, new() { PreCopy = true });
    }

    public RegionMemory Shared { get; }

    public void BeginSave() => _saved = 0;

    // The first half of the history never changes again once it is written; the rest goes when the device has stopped.
    public int Save(Span<byte> destination, bool stopped)
    {
        int tail = stopped ? HistorySize + sizeof(ulong) : HistorySize / 2;
        Span<byte> all = new byte[sizeof(ulong)];
        int count = 0;
        while (count < destination.Length && _saved < tail)
        {
            if (_saved < HistorySize)
            {
                destination[count++] = _history[_saved++];
                continue;
            }
            BinaryPrimitives.WriteUInt64LittleEndian(all, _seed);
            destination[count++] = all[_saved++ - HistorySize];
        }
        return count;
    }

    public void BeginRestore() => (_restored, _seed) = (0, 0);

    public void Restore(ReadOnlySpan<byte> source)
    {
        foreach (byte b in source)
        {
            if (_restored >= HistorySize + sizeof(ulong))
                throw new InvalidDataException("The history is too long.");
            if (_restored < HistorySize)
                _history[_restored] = b;
            else
                _seed |= (ulong)b << (8 * (_restored - HistorySize));
            _restored++;
        }
    }

    public void EndRestore()
    {
        if (_restored != HistorySize + sizeof(ulong))
            throw new InvalidDataException("The history is too short.");
    }

    protected override void OnStopped() => Rest();

    protected override void OnStarted()
    {
        if (_base.Value != 0)
            Work();
    }

    protected override void OnReset(ResetReason reason) => Rest();

    protected override void OnDetached() => Rest();

    private void Work()
    {
        Rest();
        _stop = false;
        _worker = new Thread(Scribble);
        _worker.Start();
    }

    private void Rest()
    {
        _stop = true;
        _worker?.Join();
        _worker = null;
    }

    private void Scribble()
    {
        while (!_stop)
        {
            _seed ^= _seed << 13;
            _seed ^= _seed >> 7;
            _seed ^= _seed << 17;
            ulong place = _seed % (_size.Value / sizeof(ulong)) * sizeof(ulong);
            Dma.TryWrite(new Iova(_base.Value + place), _seed);
            ulong step = _steps.Value++;
            _history[HistorySize / 2 + (int)(step % (HistorySize / 2))] = (byte)_seed;
            MemoryMarshal.Write(Shared.Span(0x2000 + (long)(step % 1024) * sizeof(ulong), sizeof(ulong)), in _seed);
        }
    }
}
