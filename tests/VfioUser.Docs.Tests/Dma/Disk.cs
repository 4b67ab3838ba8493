using Microsoft.Win32.SafeHandles;

namespace VfioUser.Docs.Tests.Dma;

/// <summary>Reads a file into the buffers of a request, without a copy where it can.</summary>
internal sealed class Disk : PciDevice
{
    private const int MaxLength = 1 << 20;

    public Disk()
        : base(new PciId(Vendor: 0x1B36, Device: 0x00EB), PciClass.MassStorageOther)
    {
    }

    /// <summary>Any thread.</summary>
    public Task<bool> TryReadAsync(SafeFileHandle disk, long offset, (Iova Address, uint Length)[] ranges)
    {
        DmaList buffers = new(Dma);
        foreach ((Iova address, uint length) in ranges)
            buffers.Add(address, length);
        return TryReadAsync(disk, offset, buffers);
    }

    private static async Task<bool> TryReadAsync(SafeFileHandle disk, long offset, DmaList buffers)
    {
        if (buffers.Length > MaxLength)
            return false;
        if (buffers.TryPin(DmaPinAccess.Write, out DmaPin pin))
        {
            using (pin) // an unmap waits until the read has ended
                return await RandomAccess.ReadAsync(disk, pin.Segments, offset) == buffers.Length;
        }
        byte[] copy = new byte[buffers.Length]; // memory that is not mapped here, or a wrong address
        return await RandomAccess.ReadAsync(disk, copy, offset) == copy.Length && buffers.TryWrite(0, copy);
    }
}
