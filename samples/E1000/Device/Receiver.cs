using VfioUser;
using VfioUser.Network;

namespace E1000.Device;

/// <summary>Puts frames that are for the guest into its buffers. Command thread, but for <see cref="Send"/>.</summary>
internal sealed class Receiver : INetworkPort
{
    // frames in one go: others may send to this card without an end
    private const int Budget = 512;

    private readonly NetworkCard _card;
    private readonly FrameQueue _waiting; // frames that have come and that the guest does not have
    private readonly DescriptorRing _ring;
    private readonly DelayedInterrupt _received;
    private readonly Interrupts _interrupts;
    private readonly ReceiveChecksums _checksums;
    private readonly Register<ReceiveControl> _control;
    private readonly Action _resume;
    private readonly FrameBuffer _frame = new(NetworkCard.MaxFrameLength + Ethernet.CheckSequenceLength);
    private long _dropped;

    /// <param name="csr">The registers of the card.</param>
    /// <param name="card">The card.</param>
    /// <param name="fifoSize">In bytes, of what waits.</param>
    /// <param name="interrupts">Its interrupts.</param>
    /// <param name="resume">Has <see cref="Run"/> called again, later.</param>
    public Receiver(RegisterBlock csr, NetworkCard card, int fifoSize, Interrupts interrupts, Action resume)
    {
        (_card, _interrupts, _resume) = (card, interrupts, resume);
        _waiting = new FrameQueue(fifoSize);
        Filter = new ReceiveFilter(csr);
        _checksums = new ReceiveChecksums(csr);
        _ring = card.AddRing(0x2800, "RD", Run);
        _received = new DelayedInterrupt(csr, 0x2820, ("RDTR", "RADV"), card, interrupts, InterruptCauses.ReceiveTimer);
        _control = csr.AddRegister<ReceiveControl>(0x0100, new() { Name = "RCTL", WriteMask = (ReceiveControl)0x07FFFFFE, OnWrite = _ => Run() });
    }

    public ReceiveFilter Filter { get; }

    public bool IsLoopback => (_control.Value & (ReceiveControl.LoopbackMac | ReceiveControl.LoopbackPhy)) == ReceiveControl.LoopbackMac;

    /// <summary>A frame for the guest. Any thread.</summary>
    public void Send(in NetworkFrame frame)
    {
        _waiting.Add(frame);
        _resume();
    }

    public void Reset()
    {
        _received.Reset();
        _waiting.Clear();
    }

    /// <summary>Takes frames while there are some, and descriptors for them.</summary>
    public void Run()
    {
        if (_waiting.Dropped - _dropped is > 0 and long lost)
        {
            _dropped += lost;
            _card.Statistics.Count(Statistic.MPC, (uint)lost);
            _interrupts.Raise(InterruptCauses.ReceiverOverrun);
        }
        if ((_control.Value & ReceiveControl.Enable) == 0)
        {
            _waiting.Clear();
            return;
        }
        if (!_card.Config.IsBusMasterEnabled)
            return;
        for (int i = 0; _waiting.TryPeek(out NetworkFrame frame); i++)
        {
            if (i == Budget)
            {
                _resume();
                return;
            }
            bool isCopied = frame.Length <= NetworkCard.MaxFrameLength && _frame.TryCopyFrom(frame);
            if (isCopied && Takes(_frame.Bytes, out ReceiveStatus status))
            {
                ushort tag = 0;
                if (_card.IsVlanMode && _frame.TryRemoveVlanTag(_card.VlanType, out tag))
                    status |= ReceiveStatus.VlanPacket;
                if (!TryStore(status, tag))
                    return; // for lack of descriptors: it waits
            }
            _waiting.RemoveFirst();
        }
    }

    private bool Takes(ReadOnlySpan<byte> frame, out ReceiveStatus status)
    {
        ReceiveControl control = _control.Value;
        status = default;
        bool isTagged = Ethernet.TryGetVlanTag(frame, _card.VlanType, out ushort tag);
        if (!Filter.Accepts(control, frame, out bool isExact))
            return false;
        if (isTagged && (control & ReceiveControl.VlanFilter) != 0 && !Filter.AcceptsVlan(tag & 0xFFF))
            return false;
        if (frame.Length > Ethernet.MaxLength + Ethernet.VlanTagLength && (control & (ReceiveControl.LongPackets | ReceiveControl.StoreBadPackets)) == 0)
        {
            _card.Statistics.Count(Statistic.ROC);
            return false;
        }
        if (!isExact)
            status |= ReceiveStatus.PassedInexactFilter;
        return true;
    }

    /// <returns>False if the ring has too few descriptors for it.</returns>
    private bool TryStore(ReceiveStatus status, ushort tag)
    {
        status |= _checksums.Check(_frame.Bytes);
        ushort sum = _checksums.Sum(_frame.Bytes);
        int length = _frame.Length + Ethernet.CheckSequenceLength;
        if ((_control.Value & ReceiveControl.StripCheckSequence) == 0)
            _frame.TryPad(length); // nobody checks it: it is zero
        int bufferSize = BufferSize;
        int needed = (_frame.Length + bufferSize - 1) / bufferSize;
        if (needed > _ring.Ready)
        {
            _card.Statistics.Count(Statistic.RNBC);
            return false;
        }
        for (Span<byte> rest = _frame.Bytes; rest.Length > 0;)
        {
            Span<byte> part = rest[..Math.Min(bufferSize, rest.Length)];
            rest = rest[part.Length..];
            if (!TryWrite(part, sum, rest.Length > 0 ? ReceiveStatus.Done : ReceiveStatus.Done | ReceiveStatus.EndOfPacket | status, tag))
                return true; // the guest's descriptor or buffer is no memory: the frame is lost
        }
        _card.Statistics.CountReceived(_frame.Bytes, length);
        if (_ring.Ready <= _ring.Count >> (1 + ((int)_control.Value >> 8 & 3)))
            _interrupts.Raise(InterruptCauses.ReceiveDescriptorsLow);
        _received.Happened();
        return true;
    }

    private bool TryWrite(ReadOnlySpan<byte> part, ushort sum, ReceiveStatus status, ushort tag)
    {
        Iova descriptor = _ring.Next;
        if (!_card.Dma.TryRead(descriptor, out ulong buffer) || !_card.Dma.TryWrite(new Iova(buffer), part))
            return false;
        ulong written = (uint)part.Length | (ulong)sum << 16 | (ulong)status << 32 | (ulong)tag << 48;
        if (!_card.Dma.TryWrite(descriptor + sizeof(ulong), written))
            return false;
        _ring.Advance();
        return true;
    }

    private int BufferSize
    {
        get
        {
            int size = 2048 >> ((int)_control.Value >> 16 & 3); // BSIZE
            // with BSEX the smallest of them is the largest, and 2048 is reserved
            return (_control.Value & ReceiveControl.BufferSizeExtension) != 0 && size < 2048 ? size * 16 : size;
        }
    }
}
