using System.Buffers.Binary;
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

    // a tag's length before the frame is free, for the tag
    private readonly byte[] _buffer = new byte[NetworkFrame.MaxLength];
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
        _ring = new DescriptorRing(csr, 0x3800, "TD", Run);
        _written = new DelayedInterrupt(csr, 0x3820, ("TIDV", "TADV"), card, interrupts, InterruptCauses.TransmitDescriptorWritten, delay);
        _control = csr.AddRegister<TransmitControl>(0x0400, new() { Name = "TCTL", OnWrite = _ => Run() });
    }

    public static int MinStateSize => Marshal.SizeOf<State>();

    public static int MaxStateSize => MinStateSize + MaxLength;

    private static int MaxLength => NetworkFrame.MaxLength - Ethernet.TagLength;

    private Span<byte> Frame => _buffer.AsSpan(Ethernet.TagLength, _state.Length);

    public void Reset()
    {
        _written.Reset();
        _state = default;
    }

    public int Save(Span<byte> destination)
    {
        MemoryMarshal.Write(destination, _state);
        Frame.CopyTo(destination[MinStateSize..]);
        return MinStateSize + _state.Length;
    }

    public void Restore(ReadOnlySpan<byte> source)
    {
        State state = MemoryMarshal.Read<State>(source);
        source = source[MinStateSize..];
        if (state.Length != source.Length || state.Length > state.MaxLength)
            throw new InvalidDataException("The packet that is being sent is not valid.");
        _state = state;
        source.CopyTo(Frame);
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
            _written.Happened(written, enough: (int)_ring.Count / 2); // the driver is to have some back before it has none
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
            (_state.InPacket, _state.IsBad, _state.First, _state.Length) = (true, false, descriptor, 0);
        Append(new Iova(descriptor.Address), descriptor.Length);
        if (!descriptor.Has(TransmitCommand.EndOfPacket))
            return;
        if (!_state.IsBad)
            End(descriptor);
        else if (_state.First.IsSegmented)
            _card.Statistics.Count(Statistic.TSCTFC);
        (_state.InPacket, _state.Length) = (false, 0);
    }

    private void Append(Iova address, int length)
    {
        int start = _state.Length;
        _state.IsBad |= length > _state.MaxLength - start;
        if (_state.IsBad)
            return;
        _state.Length += length;
        _state.IsBad = !_card.Dma.TryRead(address, Frame[start..]);
    }

    private void End(in TransmitDescriptor last)
    {
        if (_state.First.IsSegmented)
        {
            FrameOffload offload = _state.SegmentationContext.Offload;
            bool isValid = offload.Segmentation != FrameSegmentation.None && offload.IsValidFor(_state.Length)
                && offload.HeaderLength + offload.SegmentSize <= Ethernet.MaxJumboLength;
            _card.Statistics.Count(isValid ? Statistic.TSCTC : Statistic.TSCTFC);
            if (isValid)
                Send(last, offload);
            return;
        }
        if (last.InsertsChecksum)
            new ChecksumRange(last.ChecksumStart, last.ChecksumOffset, End: 0).Insert(Frame);
        if (_state.First.InsertsTcpChecksum)
            _state.ChecksumContext.Tcp.Insert(Frame);
        if (_state.First.InsertsIpChecksum)
            _state.ChecksumContext.Ip.Insert(Frame);
        Send(last);
    }

    private void Send(in TransmitDescriptor last, FrameOffload offload = default)
    {
        Span<byte> frame = Frame;
        if (frame.Length < Ethernet.HeaderLength)
            return;
        if (_card.IsVlanMode && last.Has(TransmitCommand.InsertVlanTag))
        {
            frame = _buffer.AsSpan(0, Ethernet.TagLength + frame.Length);
            frame[Ethernet.TagLength..][..Ethernet.TypeOffset].CopyTo(frame);
            BinaryPrimitives.WriteUInt16BigEndian(frame[Ethernet.TypeOffset..], _card.VlanType);
            BinaryPrimitives.WriteUInt16BigEndian(frame[(Ethernet.TypeOffset + 2)..], last.VlanTag);
            offload = offload with { ChecksumStart = offload.ChecksumStart + (offload.NeedsChecksum ? Ethernet.TagLength : 0) };
        }
        if (frame.Length < Ethernet.MinLength && (_control.Value & TransmitControl.PadShortPackets) != 0)
        {
            int start = frame.Length == _state.Length ? Ethernet.TagLength : 0;
            _buffer.AsSpan(start + frame.Length, Ethernet.MinLength - frame.Length).Clear();
            frame = _buffer.AsSpan(start, Ethernet.MinLength);
        }
        _cost += _card.Transmit(new NetworkFrame(frame, offload));
    }

    /// <summary>A packet of which only some descriptors have come.</summary>
    private struct State
    {
        public TransmitDescriptor ChecksumContext;
        public TransmitDescriptor SegmentationContext;
        public TransmitDescriptor First;
        public int Length;
        private byte _inPacket, _isBad;

        // not as bool: what a migration brings may be any byte
        public bool InPacket { readonly get => _inPacket != 0; set => _inPacket = value ? (byte)1 : (byte)0; }

        public bool IsBad { readonly get => _isBad != 0; set => _isBad = value ? (byte)1 : (byte)0; }

        public readonly int MaxLength => First.IsSegmented ? Transmitter.MaxLength : Ethernet.MaxJumboLength;
    }
}
