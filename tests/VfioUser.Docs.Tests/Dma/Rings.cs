using System.Runtime.InteropServices;

namespace VfioUser.Docs.Tests.Dma;

/// <summary>What a driver leaves in its memory: 16 bytes.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal readonly record struct Descriptor(ulong Address, uint Length, uint Flags);

/// <summary>Reads a descriptor, fills the buffer that it names, and says how it went.</summary>
internal sealed class Filler : PciDevice
{
    private const int MaxLength = 1 << 20;

    private readonly Register<uint> _status;

    public Filler()
        : base(new PciId(Vendor: 0x1B36, Device: 0x00E8), PciClass.ProcessingAccelerator)
    {
        Bar bar0 = AddBar(0, BarKind.Memory32, size: 0x1000);
        _status = bar0.AddRegister<uint>(0x08, RegisterAccess.ReadOnly);
        bar0.AddDoorbell<ulong>(0x00, address => _status.Value = Fill(new Iova(address)) ? 1u : 2u);
    }

    private bool Fill(Iova address)
    {
        if (!Dma.TryRead(address, out Descriptor descriptor)) // a copy: the driver cannot change it any more
            return false;
        if (descriptor.Length > MaxLength)
            return false;
        return Dma.TryAccess(new Iova(descriptor.Address), (int)descriptor.Length, writable: true, descriptor.Flags,
            static (memory, flags) => memory.Fill((byte)flags)); // in place where it is mapped
    }
}
