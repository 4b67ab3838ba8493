using System.Runtime.InteropServices;
using VfioUser.Protocol;

namespace VfioUser.Tool.Scratch;

/// <summary>What a doorbell does with guest memory: between the address in a register and a buffer in the BAR.</summary>
/// <param name="Reads">From guest memory into the buffer; else the other way.</param>
/// <param name="Address">Where the register with the IOVA is, of 8 bytes.</param>
/// <param name="Length">Where the register with the number of bytes is, of 4 bytes.</param>
/// <param name="Buffer">Where the buffer begins; it ends with the BAR.</param>
/// <param name="Status">Where 0 or, after a failure, 1 is put, in 4 bytes; null for nowhere.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct DmaDoorbell(bool Reads, ulong Address, ulong Length, ulong Buffer, ulong? Status)
{
    public void Run(Dma dma, ScratchRegion region)
    {
        Iova address = new(region.Register(Address, sizeof(ulong)));
        ulong length = region.Register(Length, sizeof(uint));
        bool done = length <= (ulong)region.Bytes.Length - Buffer;
        if (done)
        {
            Span<byte> buffer = region.Bytes.Slice((int)Buffer, (int)length);
            done = Reads ? dma.TryRead(address, buffer) : dma.TryWrite(address, buffer);
        }
        if (Status is { } status)
            WireFormat.Write(region.Bytes[(int)status..], done ? 0u : 1u);
    }
}
