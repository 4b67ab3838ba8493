using System.Numerics;
using System.Runtime.InteropServices;
using Microsoft.Extensions.Time.Testing;

namespace VfioUser.Testing;

/// <summary>A device to which a test adds a <see cref="DevicePart"/>, to test that alone: without a server, sockets
/// and threads.</summary>
/// <remarks>
/// <para>
/// All runs on the thread of the test: handlers of registers within <see cref="Write{T}(Region, long, T)"/> and its like, and what they
/// post before it returns. An exception of a handler, a posted action or a timer is that of the call.
/// </para>
/// <para>
/// Add the parts first. The first access, reset or <see cref="Advance"/> completes the device: it calls <see cref="DevicePart.OnAttached"/>
/// and <see cref="DevicePart.OnDmaMapped"/> of its parts, and the Command register enables memory, I/O and bus mastering. Workers do not run: test
/// those with a <see cref="TestGuest"/>, and migration and quiescing, too.
/// </para>
/// </remarks>
public sealed class TestDevice : PciDevice
{
    // a part may post endlessly
    private const int MostRounds = 10_000;

    private readonly FakeTimeProvider _clock = new();
    private readonly TestCommandThread _thread;
    private bool _isComplete;

    /// <summary>Creates a device with memory of its own.</summary>
    /// <param name="memory">How parts access the memory. <see cref="DmaBacking.Message"/>: in pieces, as by messages, but without a socket.</param>
    public TestDevice(DmaBacking memory = DmaBacking.Mapped)
        : base(new PciId(Vendor: 0x1B36, Device: 0x00FF), PciClass.Other)
    {
        RequiresBusMaster = false; // until Complete enables it
        Memory = new TestMemory(this, memory);
        _thread = new TestCommandThread(this, _clock);
        CommandWork.Begin(_thread);
    }

    /// <summary>The memory that <see cref="PciDevice.Dma"/> accesses.</summary>
    public TestMemory Memory { get; }

    /// <summary>Reads a value, little-endian, as the guest does, in one access.</summary>
    /// <param name="region">A region of this device.</param>
    /// <param name="offset">First byte, relative to the region.</param>
    /// <exception cref="ArgumentOutOfRangeException">The value does not lie within the region.</exception>
    public T Read<T>(Region region, long offset)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(region);
        Complete();
        T value = default;
        region.Read(offset, MemoryMarshal.AsBytes(new Span<T>(ref value)));
        RunPosted();
        return value;
    }

    /// <summary>Writes an unsigned integer, little-endian, as the guest does, in one access.</summary>
    /// <inheritdoc cref="Read{T}(Region, long)"/>
    public void Write<T>(Region region, long offset, T value)
        where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T>
    {
        ArgumentNullException.ThrowIfNull(region);
        Complete();
        region.Write(offset, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));
        RunPosted();
    }

    /// <summary>Reads a value of the configuration space as the guest does, in one access.</summary>
    public T ReadConfig<T>(int offset)
        where T : unmanaged
    {
        Complete();
        T value = default;
        Config.GuestRead(offset, MemoryMarshal.AsBytes(new Span<T>(ref value)));
        return value;
    }

    /// <summary>Writes to the configuration space as the guest does, in one access.</summary>
    public void WriteConfig<T>(int offset, T value)
        where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T>
    {
        Complete();
        Config.GuestWrite(offset, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));
        RunPosted();
    }

    /// <summary>Resets the device as a client does, and enables memory, I/O and bus mastering again.</summary>
    public new void Reset(ResetReason reason = ResetReason.ClientRequested)
    {
        Complete();
        base.Reset(reason);
        Enable();
        RunPosted();
    }

    /// <summary>Lets time pass: timers are called in order, each at its time.</summary>
    /// <exception cref="TestGuestException">Timers or posted actions do not end.</exception>
    public void Advance(TimeSpan time)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(time, TimeSpan.Zero);
        long end = _clock.GetTimestamp() + time.Ticks; // a fake clock counts in ticks
        while (true)
        {
            RunPosted();
            long now = _clock.GetTimestamp();
            if (now >= end)
                return;
            long next = CommandWork.NextDue;
            _clock.Advance(TimeSpan.FromTicks((next > now && next < end ? next : end) - now));
        }
    }

    /// <summary>Runs what parts have posted, timers that are due, and a reset that was requested, until nothing is left.</summary>
    /// <exception cref="TestGuestException">Timers or posted actions do not end.</exception>
    /// <remarks>Accesses do this themselves; call it after a post by another thread, or by the test outside of an access.</remarks>
    public void RunPosted()
    {
        Complete();
        for (int round = 0; CommandWork.IsReady; round++)
        {
            if (round == MostRounds)
                throw new TestGuestException($"Timers or posted actions still run after {MostRounds} rounds.");
            CommandWork.RunReady();
            _thread.Rethrow();
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            CommandWork.End();
            Memory.Dispose(); // first, as of a client that disconnects
            if (_isComplete)
                Detached();
        }
        base.Dispose(disposing);
    }

    private void Complete()
    {
        if (_isComplete)
            return;
        _isComplete = true;
        Config.Seal();
        if (Config.PciExpress is { } express)
            express.FunctionLevelReset = () => base.Reset(ResetReason.FunctionLevel);
        RequiresBusMaster = true;
        Attached();
        if (Memory.IsMapped)
            DmaMapped(Memory.Description); // it was mapped before there were parts
        Enable();
    }

    private void Enable() =>
        Config.GuestWrite(ConfigRegister.Command, [(byte)(ConfigRegister.CommandIoSpace | ConfigRegister.CommandMemorySpace | ConfigRegister.CommandBusMaster)]);
}
