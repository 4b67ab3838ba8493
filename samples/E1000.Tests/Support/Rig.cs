using System.Net.NetworkInformation;
using E1000.Device;
using Microsoft.Extensions.Time.Testing;
using VfioUser;
using VfioUser.Testing;

namespace E1000.Tests.Support;

/// <summary>A card, the guest that has it, and as much of a driver as tests need.</summary>
internal sealed class Rig : IDisposable
{
    public const int RingSize = 32;
    public const int BufferSize = 2048;

    public static readonly PhysicalAddress Own = PhysicalAddress.Parse("52-54-00-AA-BB-01");

    public Rig(GuestMemoryKind memory = GuestMemoryKind.Mapped, INetworkPort? cable = null, int receiveBufferSize = 1 << 16)
    {
        Card = new NetworkCard(new() { Address = Own, ReceiveBufferSize = receiveBufferSize });
        Guest = TestGuest.Attach(Card, new() { Memory = memory, TimeProvider = new FakeTimeProvider(), Timeout = TimeSpan.FromSeconds(60), MemorySize = 8 << 20 });
        Guest.StartDriver(PciIrqTypes.Intx);
        Cable = new CollectingPort();
        Card.Plug(cable ?? Cable);
        Settle();
        TransmitRing = new GuestRing<UInt128>(Guest.Memory, RingSize);
        ReceiveRing = new GuestRing<UInt128>(Guest.Memory, RingSize);
        Buffers = Guest.Memory.Allocate(RingSize * BufferSize);
    }

    public NetworkCard Card { get; }

    public TestGuest Guest { get; private set; }

    public CollectingPort Cable { get; }

    public GuestRing<UInt128> TransmitRing { get; }

    public GuestRing<UInt128> ReceiveRing { get; }

    public Iova Buffers { get; }

    public ulong this[string register]
    {
        get => Guest.Registers[register].Read();
        set => Guest.Registers[register].Write(value);
    }

    /// <summary>Posted work has run.</summary>
    public void Settle() => Guest.Advance(TimeSpan.Zero);

    /// <summary>Both rings, link up, all causes unmasked.</summary>
    public Rig Start()
    {
        this["CTRL"] = (ulong)(Control.FullDuplex | Control.SetLinkUp);
        for (int i = 0; i < RingSize; i++)
            ReceiveRing[i] = Buffers.Value + (ulong)(i * BufferSize);
        this["RDBA"] = ReceiveRing.Address.Value;
        this["RDLEN"] = (ulong)ReceiveRing.Length;
        this["RDT"] = RingSize - 1;
        this["RCTL"] = (ulong)(ReceiveControl.Enable | ReceiveControl.BroadcastAccept | ReceiveControl.StripCheckSequence);
        this["TDBA"] = TransmitRing.Address.Value;
        this["TDLEN"] = (ulong)TransmitRing.Length;
        this["TCTL"] = (ulong)(TransmitControl.Enable | TransmitControl.PadShortPackets);
        _ = this["ICR"];
        this["IMS"] = 0xFFFF;
        Guest.Intx.Take();
        return this;
    }

    /// <summary>Puts descriptors into the transmit ring, and writes the tail.</summary>
    public void Transmit(params ReadOnlySpan<(ulong Low, ulong High)> descriptors)
    {
        (TransmitRing.Head, TransmitRing.Tail) = ((int)this["TDH"], (int)this["TDT"]);
        foreach ((ulong low, ulong high) in descriptors)
            TransmitRing.Put(new UInt128(high, low));
        this["TDT"] = (ulong)TransmitRing.Tail;
        Settle();
    }

    /// <summary>A frame comes from the cable.</summary>
    public void Receive(ReadOnlySpan<byte> frame)
    {
        Card.Send(new NetworkFrame(frame));
        Settle();
    }

    /// <summary>The second half of a receive descriptor: length, checksum, status, errors, tag.</summary>
    public ulong Received(uint index) => (ulong)(ReceiveRing[(int)index] >> 64);

    public byte[] ReceivedBytes(uint index) => Guest.Memory.ReadBytes(Buffers + (index * BufferSize), (int)(Received(index) & 0xFFFF));

    public void MigrateTo(NetworkCard card)
    {
        Guest = Guest.MigrateTo(card);
        TransmitRing.MoveTo(Guest.Memory);
        ReceiveRing.MoveTo(Guest.Memory);
    }

    public ushort ReadPhy(int register)
    {
        this["MDIC"] = (ulong)((2 << 26) | (1 << 21) | (register << 16));
        this["MDIC"].Should().Match(value => (value >> 28 & 7) == 1, "it is ready, and there is no error");
        return (ushort)this["MDIC"];
    }

    public void WritePhy(int register, ushort value) => this["MDIC"] = (ulong)((1 << 26) | (1 << 21) | (register << 16) | value);

    public void Dispose()
    {
        Guest.Dispose();
        Card.Dispose();
    }
}
