using VfioUser.Client;
using VfioUser.Protocol;

namespace VfioUser.Testing;

/// <summary>Injects faults between a device and its guest.</summary>
/// <remarks>Any thread. Faults of DMA need memory that is accessed by DMA_READ and DMA_WRITE messages:
/// <see cref="GuestMemoryKind.TwinSocket"/> or <see cref="GuestMemoryKind.SingleSocket"/>. They count messages: a transfer beyond the
/// client's limit is several. If two faults match a message, the older one applies.</remarks>
public sealed class GuestFaults
{
    private readonly TestGuest _guest;
    private readonly Lock _lock = new();
    private readonly List<GuestDmaFault> _dma = [];
    private bool _over;

    internal GuestFaults(TestGuest guest) => _guest = guest;

    /// <summary>Disconnects, and waits until <see cref="PciDevice.OnDetached"/> has returned.</summary>
    /// <param name="point">Where in the stream.</param>
    /// <exception cref="TestGuestException">A callback of the device does not return.</exception>
    /// <remarks><see cref="TestGuest.Reconnect"/> connects again.</remarks>
    public void Disconnect(DisconnectPoint point = DisconnectPoint.BetweenMessages) => DisconnectAsync(point).GetAwaiter().GetResult();

    /// <summary>Disconnects at once, even while the device is busy.</summary>
    /// <param name="point">Where in the stream.</param>
    /// <returns>Completes when <see cref="PciDevice.OnDetached"/> has returned; faults where <see cref="Disconnect"/> throws.</returns>
    public Task DisconnectAsync(DisconnectPoint point = DisconnectPoint.BetweenMessages)
    {
        // a write of 8 bytes to BAR 0: header, access, data
        byte[] message = new byte[MessageHeader.WireSize + RegionAccess.WireSize + sizeof(ulong)];
        WireFormat.Write(message, new MessageHeader(0xFA17, Command.RegionWrite, (uint)message.Length, MessageFlags.Command, 0));
        WireFormat.Write(message.AsSpan(MessageHeader.WireSize), new RegionAccess(0, 0, sizeof(ulong)));
        int sent = point switch
        {
            DisconnectPoint.InHeader => MessageHeader.WireSize / 2,
            DisconnectPoint.InBody => message.Length - sizeof(ulong) / 2,
            _ => 0,
        };
        _guest.Cut(message.AsSpan(0, sent));
        return _guest.Detached();
    }

    /// <summary>Closes only the twin socket: from now on DMA fails, and commands still work.</summary>
    /// <exception cref="InvalidOperationException">There is none.</exception>
    public void LoseTwinSocket()
    {
        if (!_guest.Client.HasTwinSocket)
            throw new InvalidOperationException($"The guest's memory is {_guest.Memory.Kind}, and has no twin socket to lose.");
        EndDma();
        _guest.Client.BreakTwin();
    }

    /// <summary>Answers DMA messages with an error.</summary>
    /// <param name="errno">The error of the replies; the device only sees that the access failed.</param>
    /// <param name="direction">Reads, writes or both.</param>
    /// <param name="skip">Messages that succeed first.</param>
    /// <param name="count">Messages that fail then; later ones succeed.</param>
    /// <exception cref="InvalidOperationException">The device accesses the memory without messages.</exception>
    public GuestDmaFault FailDma(Errno errno = Errno.EIO, DmaDirection direction = DmaDirection.Any, int skip = 0, int count = 1) =>
        Add(direction, skip, count, errno, holds: false);

    /// <summary>Holds DMA messages until they are released: a slow guest, without a clock.</summary>
    /// <param name="direction">Reads, writes or both.</param>
    /// <param name="skip">Messages that succeed first.</param>
    /// <param name="count">Messages to hold; they are answered one after the other, so a second one is hit only after a release.</param>
    /// <exception cref="InvalidOperationException">The device accesses the memory without messages.</exception>
    public GuestDmaFault HoldDma(DmaDirection direction = DmaDirection.Any, int skip = 0, int count = 1) =>
        Add(direction, skip, count, Errno.None, holds: true);

    /// <summary>Never answers DMA messages: the access fails after <see cref="VfioUserServerOptions.DmaTimeout"/>.</summary>
    /// <param name="direction">Reads, writes or both.</param>
    /// <param name="skip">Messages that succeed first.</param>
    /// <param name="count">Messages that are lost then; later ones succeed.</param>
    /// <exception cref="InvalidOperationException">The device accesses the memory without messages.</exception>
    public GuestDmaFault LoseDma(DmaDirection direction = DmaDirection.Any, int skip = 0, int count = 1) =>
        Add(direction, skip, count, DmaResponder.NoAnswer, holds: false);

    internal Errno Apply(DmaDirection direction)
    {
        GuestDmaFault? fault;
        lock (_lock)
        {
            if (_over)
                return DmaResponder.NoAnswer;
            fault = _dma.Find(candidate => candidate.Takes(direction));
        }
        return fault?.Act() ?? Errno.None;
    }

    internal void Remove(GuestDmaFault fault)
    {
        lock (_lock)
            _dma.Remove(fault);
    }

    internal void BeginSession()
    {
        lock (_lock)
            _over = false;
    }

    internal void EndSession()
    {
        lock (_lock)
            _over = true;
        EndDma();
    }

    private void EndDma()
    {
        GuestDmaFault[] faults;
        lock (_lock)
        {
            faults = [.. _dma];
            _dma.Clear();
        }
        foreach (GuestDmaFault fault in faults)
            fault.End();
    }

    private GuestDmaFault Add(DmaDirection direction, int skip, int count, Errno answer, bool holds)
    {
        if (_guest.Memory.Kind is not (GuestMemoryKind.TwinSocket or GuestMemoryKind.SingleSocket))
        {
            throw new InvalidOperationException(
                $"The device accesses {_guest.Memory.Kind} memory without messages: attach with {GuestMemoryKind.TwinSocket} or {GuestMemoryKind.SingleSocket}.");
        }
        GuestDmaFault fault = new(this, direction, skip, count, answer, holds, _guest.Options.Timeout);
        lock (_lock)
            _dma.Add(fault);
        return fault;
    }
}
