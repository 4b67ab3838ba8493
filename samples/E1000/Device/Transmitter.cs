using System.Runtime.InteropServices;
using VfioUser;
using VfioUser.Network;

namespace E1000.Device;

/// <summary>Takes descriptors from the transmit ring and sends what they describe. Command thread.</summary>
internal sealed class Transmitter
{
    // descriptors and frames in one go; after that other commands, and other devices of the same thread, have their turn
    private const int Budget = 512;
    private const uint DescriptorDone = 1 << 0;

    private readonly NetworkCard _card;
    private readonly DescriptorRing _ring;
    private readonly DelayedInterrupt _written;
    private readonly Interrupts _interrupts;
    private readonly Register<TransmitControl> _control;
    private readonly Action _resume;

    private readonly FrameBuffer _frame = new(MaxLength);
    private State _state;
    private int _cost;

    /// <param name="csr">The registers of the card.</param>
    /// <param name="card">The card.</param>
    /// <param name="delay">The shortest one of its interrupts, if the guest wants one.</param>
    /// <param name="interrupts">Its interrupts.</param>
    /// <param name="resume">Has <see cref="Run"/> called again, later.</param>
    public Transmitter(RegisterBlock csr, NetworkCard card, TimeSpan delay, Interrupts interrupts, Action resume)
    {
        (_card, _interrupts, _resume) = (card, interrupts, resume);
        _ring = card.AddRing(0x3800, "TD", Run);
        _written = new DelayedInterrupt(csr, 0x3820, ("TIDV", "TADV"), card, interrupts, InterruptCauses.TransmitDescriptorWritten, delay);
        _control = csr.AddRegister<TransmitControl>(0x0400, new() { Name = "TCTL", OnWrite = _ => Run() });
    }

    public static int MinStateSize => Marshal.SizeOf<State>();

    public static int MaxStateSize => MinStateSize + MaxLength;

    private static int MaxLength => NetworkFrame.MaxLength - Ethernet.VlanTagLength;

    public void Reset()
    {
        _written.Reset();
        _state = default;
        _frame.Clear();
    }

    public int Save(Span<byte> destination)
    {
        MemoryMarshal.Write(destination, _state);
        _frame.Bytes.CopyTo(destination[MinStateSize..]);
        return MinStateSize + _frame.Length;
    }

    public void Restore(ReadOnlySpan<byte> source)
    {
        State state = MemoryMarshal.Read<State>(source);
        source = source[MinStateSize..];
        if (source.Length > (state.InPacket ? state.MaxLength : 0))
            throw new InvalidDataException("The packet that is being sent is not valid.");
        _state = state;
        _frame.Clear();
        _frame.TryAppend(source);
    }

    /// <summary>Sends what is in the ring.</summary>
    public void Run()
    {
        if ((_control.Value & TransmitControl.Enable) == 0 || !_card.Config.IsBusMasterEnabled || _ring.Ready == 0)
            return;
        int written = 0;
        bool isDelayed = true;
        bool isReadable = true;
        for (_cost = 0; _cost < Budget && _ring.Ready > 0; _cost++)
        {
            Iova address = _ring.Next;
            isReadable = _card.Dma.TryRead(address, out TransmitDescriptor descriptor);
            if (!isReadable)
                break; // the next write of the tail tries again
            Process(descriptor);
            _ring.Advance();
            if (!descriptor.Has(TransmitCommand.ReportStatus | TransmitCommand.ReportPacketSent))
                continue;
            _card.Dma.TryWrite(address + TransmitDescriptor.StatusOffset, (descriptor.Upper & ~0xFu) | DescriptorDone);
            written++;
            isDelayed &= descriptor.Has(TransmitCommand.DelayInterrupt);
        }
        if (written > 0 && isDelayed)
            _written.Happened(written, enough: _ring.Count / 2); // the driver is to have some back before it has none
        else if (written > 0)
            _interrupts.Raise(InterruptCauses.TransmitDescriptorWritten);
        if (_ring.Ready == 0)
            _interrupts.Raise(InterruptCauses.TransmitQueueEmpty);
        else if (isReadable)
            _resume();
    }

    private void Process(in TransmitDescriptor descriptor)
    {
        if (descriptor.IsContext)
        {
            if (descriptor.Has(TransmitCommand.Segment))
                _state.SegmentationContext = descriptor;
            else
                _state.ChecksumContext = descriptor;
            return;
        }
        if (!_state.InPacket)
            (_state.InPacket, _state.IsBad, _state.First) = (true, false, descriptor);
        _state.IsBad = _state.IsBad || descriptor.Length > _state.MaxLength - _frame.Length
            || !_frame.TryAppend(_card.Dma, new Iova(descriptor.Address), descriptor.Length);
        if (!descriptor.Has(TransmitCommand.EndOfPacket))
            return;
        if (!_state.IsBad)
            End(descriptor);
        else if (_state.First.IsSegmented)
            _card.Statistics.Count(Statistic.TSCTFC);
        _state.InPacket = false;
        _frame.Clear();
    }

    private void End(in TransmitDescriptor last)
    {
        if (_state.First.IsSegmented)
        {
            FrameOffload offload = _state.SegmentationContext.Offload;
            bool isValid = offload.Segmentation != FrameSegmentation.None && offload.IsValidFor(_frame.Length)
                && offload.HeaderLength + offload.SegmentSize <= NetworkCard.MaxFrameLength;
            _card.Statistics.Count(isValid ? Statistic.TSCTC : Statistic.TSCTFC);
            if (!isValid)
                return;
            _frame.Offload = offload;
        }
        else
        {
            if (last.InsertsChecksum)
                new ChecksumRange(last.ChecksumStart, last.ChecksumOffset, End: 0).Insert(_frame.Bytes);
            if (_state.First.InsertsTcpChecksum)
                _state.ChecksumContext.Tcp.Insert(_frame.Bytes);
            if (_state.First.InsertsIpChecksum)
                _state.ChecksumContext.Ip.Insert(_frame.Bytes);
        }
        if (_frame.Length < Ethernet.HeaderLength)
            return;
        if (_card.IsVlanMode && last.Has(TransmitCommand.InsertVlanTag))
            _frame.TryInsertVlanTag(_card.VlanType, last.VlanTag);
        if ((_control.Value & TransmitControl.PadShortPackets) != 0)
            _frame.TryPad(Ethernet.MinLength);
        if (_frame.TryGetFrame(out NetworkFrame frame))
            _cost += _card.Transmit(frame);
    }

    /// <summary>A packet of which only some descriptors have come, beside its data.</summary>
    private struct State
    {
        public TransmitDescriptor ChecksumContext;
        public TransmitDescriptor SegmentationContext;
        public TransmitDescriptor First;
        private byte _inPacket, _isBad;

        // not as bool: what a migration brings may be any byte
        public bool InPacket { readonly get => _inPacket != 0; set => _inPacket = value ? (byte)1 : (byte)0; }

        public bool IsBad { readonly get => _isBad != 0; set => _isBad = value ? (byte)1 : (byte)0; }

        public readonly int MaxLength => First.IsSegmented ? Transmitter.MaxLength : NetworkCard.MaxFrameLength;
    }
}
