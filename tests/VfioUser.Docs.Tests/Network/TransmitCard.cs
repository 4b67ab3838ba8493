using System.Runtime.InteropServices;
using VfioUser.Network;

namespace VfioUser.Docs.Tests.Network;

/// <summary>Sends the frames that a driver describes in a ring.</summary>
internal sealed class TransmitCard : PciDevice
{
    private readonly INetworkPort _cable;
    private readonly DescriptorRing _ring;
    private readonly FrameBuffer _frame = new();
    private readonly DevicePost _transmit;

    public TransmitCard(INetworkPort cable)
        : base(new PciId(Vendor: 0x1B36, Device: 0x00E5), PciClass.NetworkEthernet)
    {
        _cable = cable;
        Bar csr = AddBar(0, BarKind.Memory32, size: 0x1000);
        _ring = new DescriptorRing(
            descriptorSize: 16,
            address: csr.AddRegister<ulong>(0x00, new() { Name = "TDBA" }),
            length: csr.AddRegister<uint>(0x08, new() { Name = "TDLEN" }),
            head: csr.AddRegister<uint>(0x10, new() { Name = "TDH" }),
            tail: csr.AddRegister<uint>(0x18, new() { Name = "TDT", OnWrite = _ => Transmit() }));
        _transmit = AddPost(Transmit);
    }

    protected override void OnReset(ResetReason reason) => _frame.Clear();

    private void Transmit()
    {
        for (int budget = 64; _ring.Ready > 0; budget--, _ring.Advance())
        {
            if (budget == 0)
            {
                _transmit.Post(); // the guest's commands have their turn first
                return;
            }
            if (!Dma.TryRead(_ring.Next, out Descriptor descriptor))
                return; // the ring is no memory: the next write of the tail tries again
            Send(descriptor);
        }
    }

    private void Send(in Descriptor descriptor)
    {
        bool isReadable = _frame.TryAppend(Dma, new Iova(descriptor.Address), descriptor.Length);
        if (isReadable && !descriptor.IsLast)
            return; // a frame may lie in several buffers
        if (descriptor.ChecksumOffset != 0)
            InternetChecksum.TryInsert(_frame.Bytes, descriptor.ChecksumStart, end: int.MaxValue, descriptor.ChecksumOffset);
        if (descriptor.VlanTag != 0)
            _frame.TryInsertVlanTag(Ethernet.VlanTag, descriptor.VlanTag);
        _frame.TryPad(Ethernet.MinLength);
        if (isReadable && _frame.TryGetFrame(out NetworkFrame frame))
            frame.SendTo(_cable);
        _frame.Clear();
    }

    [StructLayout(LayoutKind.Sequential)]
    private readonly struct Descriptor
    {
        public readonly ulong Address;
        public readonly ushort Length;
        public readonly ushort VlanTag;
        public readonly byte ChecksumStart;
        public readonly byte ChecksumOffset;
        private readonly ushort _last;

        public bool IsLast => _last != 0;
    }
}
