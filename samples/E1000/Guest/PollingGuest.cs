using System.Buffers.Binary;
using System.Diagnostics;
using System.Net.NetworkInformation;
using System.Runtime.InteropServices;
using VfioUser;
using VfioUser.Client;
using VfioUser.Protocol;

namespace E1000.Guest;

/// <summary>A minimal driver of the card, without interrupts: a ring of descriptors for each direction, and a buffer for each.</summary>
internal sealed class PollingGuest : IDisposable
{
    private const ulong MemoryAddress = 0x1_0000_0000;
    private const int MemorySize = 1 << 16;
    private const int RingSize = 8;
    private const int BufferSize = 2048;
    private const ulong TransmitRing = 0x0000;
    private const ulong ReceiveRing = 0x1000;
    private const ulong TransmitBuffer = 0x2000;
    private const ulong ReceiveBuffers = 0x4000;

    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    private readonly VfioUserClient _client;
    private readonly SharedMemory _memory;
    private uint _sent;
    private uint _received;

    public PollingGuest(string socket)
    {
        _client = VfioUserClient.Connect(socket);
        _memory = SharedMemory.Create(MemorySize);
        _client.MapDma(MemoryAddress, MemorySize, _memory.File);
        _client.WriteRegion((uint)RegionIndex.Config, 0x04, [0x06, 0]); // memory space and bus mastering

        byte[] address = new byte[6];
        for (uint word = 0; word < 3; word++)
        {
            Write(0x0014, word << 8 | 1); // EERD
            BinaryPrimitives.WriteUInt16LittleEndian(address.AsSpan(2 * (int)word), (ushort)(Read(0x0014) >> 16));
        }
        Address = new PhysicalAddress(address);

        Write(0x0000, 1 << 6); // CTRL: link up
        for (uint i = 0; i < RingSize; i++)
            Descriptor(ReceiveRing, i)[0] = MemoryAddress + ReceiveBuffers + (i * BufferSize);
        SetRing(0x2800, ReceiveRing);
        Write(0x2818, RingSize - 1); // RDT
        Write(0x0100, 1 << 1 | 1 << 15 | 1 << 26); // RCTL: on, with broadcasts, without check sequences
        SetRing(0x3800, TransmitRing);
        Write(0x0400, 1 << 1 | 1 << 3); // TCTL: on, with padding
    }

    /// <summary>The card's own address.</summary>
    public PhysicalAddress Address { get; }

    /// <summary>Sends a frame.</summary>
    public void Send(ReadOnlySpan<byte> frame)
    {
        frame.CopyTo(_memory.Slice(TransmitBuffer, BufferSize));
        Span<ulong> descriptor = Descriptor(TransmitRing, _sent);
        descriptor[0] = MemoryAddress + TransmitBuffer;
        descriptor[1] = (uint)frame.Length | 0x9ul << 24; // the end of a packet; report it
        _sent = (_sent + 1) % RingSize;
        Write(0x3818, _sent); // TDT
    }

    /// <summary>Waits for a frame.</summary>
    public byte[] Receive()
    {
        long start = Stopwatch.GetTimestamp();
        ulong status;
        while (((status = Volatile.Read(ref Descriptor(ReceiveRing, _received)[1])) >> 32 & 1) == 0)
        {
            if (Stopwatch.GetElapsedTime(start) > Timeout)
                throw new TimeoutException("No frame has come.");
            Thread.Yield();
        }
        byte[] frame = _memory.Slice(ReceiveBuffers + (_received * BufferSize), (ushort)status).ToArray();
        Descriptor(ReceiveRing, _received)[1] = 0;
        Write(0x2818, _received); // RDT: the card may have it again
        _received = (_received + 1) % RingSize;
        return frame;
    }

    public void Dispose()
    {
        _client.Dispose();
        _memory.Dispose();
    }

    private Span<ulong> Descriptor(ulong ring, uint index) => MemoryMarshal.Cast<byte, ulong>(_memory.Slice(ring + (index * 16), 16));

    private void SetRing(ulong register, ulong ring)
    {
        Write(register, (uint)(MemoryAddress + ring));
        Write(register + 4, (uint)((MemoryAddress + ring) >> 32));
        Write(register + 8, RingSize * 16);
    }

    private uint Read(ulong register)
    {
        Span<byte> value = stackalloc byte[sizeof(uint)];
        _client.ReadRegion((uint)RegionIndex.Bar0, register, value);
        return BinaryPrimitives.ReadUInt32LittleEndian(value);
    }

    private void Write(ulong register, uint value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        _client.WriteRegion((uint)RegionIndex.Bar0, register, bytes);
    }
}
