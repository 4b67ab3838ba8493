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
    private readonly byte[] _buffer = new byte[Ethernet.TagLength + Ethernet.MaxJumboLength];
    private readonly byte[] _header = new byte[byte.MaxValue];
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

    public static int MinStateSize => Marshal.SizeOf<State>() + byte.MaxValue;

    public static int MaxStateSize => MinStateSize + Ethernet.MaxJumboLength;

    private Span<byte> Frame => _buffer.AsSpan(Ethernet.TagLength, _state.Length);

    public void Reset()
    {
        _written.Reset();
        _state = default;
    }

    public int Save(Span<byte> destination)
    {
        MemoryMarshal.Write(destination, _state);
        int size = Marshal.SizeOf<State>();
        _header.CopyTo(destination[size..]);
        Frame.CopyTo(destination[(size + _header.Length)..]);
        return size + _header.Length + _state.Length;
    }

    public void Restore(ReadOnlySpan<byte> source)
    {
        State state = MemoryMarshal.Read<State>(source);
        source = source[Marshal.SizeOf<State>()..];
        bool fits = state.Length == source.Length - _header.Length && state.Length <= Ethernet.MaxJumboLength;
        if (fits && state.Segments && !state.IsBad)
        {
            fits = Segmentation.IsValid(state.Context, Ethernet.MaxJumboLength)
                && state.Length <= state.Context.HeaderLength + state.Context.SegmentSize;
        }
        if (!fits)
        {
            throw new InvalidDataException("The packet that is being sent is not valid.");
        }
        _state = state;
        source[.._header.Length].CopyTo(_header);
        source[_header.Length..].CopyTo(Frame);
    }

    /// <summary>Sends what is in the ring.</summary>
    public void Run()
    {
        if ((_control.Value & TransmitControl.Enable) == 0 || !_card.Config.IsBusMasterEnabled || _ring.Ready == 0)
            return;
        uint written = 0;
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
            Begin(descriptor);
        if (_state.Segments)
            AppendSegments(descriptor);
        else
            Append(new Iova(descriptor.Address), descriptor.Length);
        if (!descriptor.Has(TransmitCommand.EndOfPacket))
            return;
        if (!_state.IsBad)
            End(descriptor);
        else if (_state.Segments)
            _card.Statistics.Count(Statistic.TSCTFC);
        (_state.InPacket, _state.Length) = (false, 0);
    }

    private void Begin(in TransmitDescriptor first)
    {
        _state.InPacket = true;
        _state.First = first;
        _state.Segments = first.IsData && first.Has(TransmitCommand.Segment);
        _state.Context = _state.Segments ? _state.SegmentationContext : _state.ChecksumContext;
        _state.IsBad = _state.Segments && !Segmentation.IsValid(_state.Context, Ethernet.MaxJumboLength);
        (_state.Length, _state.SegmentCount, _state.Sent) = (0, 0, 0);
    }

    private bool Append(Iova address, int length)
    {
        int start = _state.Length;
        if (_state.IsBad || length > Ethernet.MaxJumboLength - start)
        {
            _state.IsBad = true;
            return false;
        }
        _state.Length += length;
        _state.IsBad = !_card.Dma.TryRead(address, Frame[start..]);
        return !_state.IsBad;
    }

    private void AppendSegments(in TransmitDescriptor descriptor)
    {
        int headerLength = _state.Context.HeaderLength;
        int full = headerLength + _state.Context.SegmentSize;
        int left = descriptor.Length;
        for (Iova address = new(descriptor.Address); left > 0 && !_state.IsBad;)
        {
            // a full one goes when there is more, so that the last one is known for what it is
            if (_state.Length == full)
                SendSegment(descriptor, isLast: false);
            int target = _state.Length < headerLength ? headerLength : full;
            int length = Math.Min(left, target - _state.Length);
            if (!Append(address, length))
                return;
            if (_state.Length == headerLength)
                Frame.CopyTo(_header);
            address += (ulong)length;
            left -= length;
        }
    }

    private void SendSegment(in TransmitDescriptor descriptor, bool isLast)
    {
        int payload = _state.Length - _state.Context.HeaderLength;
        Segmentation.Complete(Frame, _state.Context, _state.SegmentCount++, _state.Sent, isLast);
        SendFrame(descriptor);
        _state.Sent += (uint)payload;
        _state.Length = _state.Context.HeaderLength;
        _header.AsSpan(0, _state.Length).CopyTo(Frame);
    }

    private void End(in TransmitDescriptor last)
    {
        if (!_state.Segments)
        {
            if (last.InsertsChecksum)
                new ChecksumRange(last.ChecksumStart, last.ChecksumOffset, End: 0).Insert(Frame);
            SendFrame(last);
        }
        else if (_state.Length >= _state.Context.HeaderLength)
        {
            SendSegment(last, isLast: true);
            _card.Statistics.Count(Statistic.TSCTC);
        }
    }

    private void SendFrame(in TransmitDescriptor last)
    {
        if (_state.First.InsertsTcpChecksum)
            _state.Context.Tcp.Insert(Frame);
        if (_state.First.InsertsIpChecksum)
            _state.Context.Ip.Insert(Frame);
        Span<byte> frame = Frame;
        if (_card.IsVlanMode && last.Has(TransmitCommand.InsertVlanTag) && frame.Length >= Ethernet.HeaderLength)
        {
            frame = _buffer.AsSpan(0, Ethernet.TagLength + frame.Length);
            frame[Ethernet.TagLength..][..Ethernet.TypeOffset].CopyTo(frame);
            BinaryPrimitives.WriteUInt16BigEndian(frame[Ethernet.TypeOffset..], _card.VlanType);
            BinaryPrimitives.WriteUInt16BigEndian(frame[(Ethernet.TypeOffset + 2)..], last.VlanTag);
        }
        if (frame.Length < Ethernet.MinLength && (_control.Value & TransmitControl.PadShortPackets) != 0)
        {
            int start = frame.Length == _state.Length ? Ethernet.TagLength : 0;
            _buffer.AsSpan(start + frame.Length, Ethernet.MinLength - frame.Length).Clear();
            frame = _buffer.AsSpan(start, Ethernet.MinLength);
        }
        _cost++;
        if (frame.Length >= Ethernet.HeaderLength)
            _card.Transmit(frame);
    }

    /// <summary>A packet of which only some descriptors have come.</summary>
    private struct State
    {
        public TransmitDescriptor ChecksumContext;
        public TransmitDescriptor SegmentationContext;
        public TransmitDescriptor Context;
        public TransmitDescriptor First;
        public int Length;
        public uint SegmentCount;
        public uint Sent;
        private byte _inPacket, _segments, _isBad;

        // not as bool: what a migration brings may be any byte
        public bool InPacket { readonly get => _inPacket != 0; set => _inPacket = value ? (byte)1 : (byte)0; }

        public bool Segments { readonly get => _segments != 0; set => _segments = value ? (byte)1 : (byte)0; }

        public bool IsBad { readonly get => _isBad != 0; set => _isBad = value ? (byte)1 : (byte)0; }
    }
}
