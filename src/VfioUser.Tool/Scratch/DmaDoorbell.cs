using System.Runtime.InteropServices;
using VfioUser.Protocol;

namespace VfioUser.Tool.Scratch;

/// <summary>DMA of a doorbell: copies between guest memory and a buffer in the BAR.</summary>
/// <param name="Reads">Copies from guest memory to the buffer; else from the buffer to guest memory.</param>
/// <param name="Address">Offset of the 8-byte register with the IOVA.</param>
/// <param name="Length">Offset of the 4-byte register with the number of bytes.</param>
/// <param name="Buffer">Offset of the buffer, which extends to the end of the BAR.</param>
/// <param name="Status">Offset of the 4-byte register that is set to 0, or to 1 after a failure; null for none.</param>
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
