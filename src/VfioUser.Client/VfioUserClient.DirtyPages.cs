using System.Runtime.InteropServices;
using VfioUser.Protocol;

namespace VfioUser.Client;

/// <content>Dirty page tracking.</content>
public sealed partial class VfioUserClient
{
    /// <summary>Has the server log the device's DMA writes. Spec: VFIO_DEVICE_FEATURE_DMA_LOGGING_START.</summary>
    /// <param name="pageSize">The wanted granularity in bytes.</param>
    /// <param name="ranges">Memory to log; all of it when there are none.</param>
    /// <returns>The granularity that the server has chosen, in bytes.</returns>
    /// <remarks>Writes by DMA_WRITE messages are not logged: the client carries them out itself.</remarks>
    public ulong StartDirtyPages(ulong pageSize, params ReadOnlySpan<DmaLoggingRange> ranges) =>
        SetFeature(DeviceFeatureId.DmaLoggingStart, new DmaLoggingControl(pageSize, (uint)ranges.Length, 0), MemoryMarshal.AsBytes(ranges)).PageSize;

    /// <summary>Ends the log. Spec: VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP.</summary>
    public void StopDirtyPages() => SetFeature(DeviceFeatureId.DmaLoggingStop, new DmaLoggingControl(0, 0, 0));

    /// <summary>Gets and clears the dirty pages of a range. Spec: VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT.</summary>
    /// <param name="address">First byte of the range.</param>
    /// <param name="length">In bytes, at least <paramref name="pageSize"/>.</param>
    /// <param name="pageSize">Bytes that a bit of the result stands for; a power of two.</param>
    /// <returns>Bit n of the words, lowest first, stands for the n-th page from <paramref name="address"/> on.</returns>
    /// <remarks>A bitmap that is too long for one message is fetched in pieces.</remarks>
    public ulong[] GetDirtyPages(ulong address, ulong length, ulong pageSize)
    {
        CheckPages(length, pageSize);
        ulong[] bitmap = new ulong[WordsOf(length, pageSize)];
        // pieces of whole words; the last one must not be shorter than a page
        int most = Math.Max(2, (Limits.MaxBitmapSize - 64) / sizeof(ulong));
        for (int done = 0; done < bitmap.Length;)
        {
            int words = Math.Min(most, bitmap.Length - done);
            ulong skip = (ulong)done * 64 * pageSize;
            ulong part = Math.Min(length - skip, (ulong)words * 64 * pageSize);
            if (length - skip - part < pageSize && part != length - skip && words > 1)
            {
                words--;
                part = (ulong)words * 64 * pageSize;
            }
            GetDirtyPages(address + skip, Math.Max(part, pageSize), pageSize, MemoryMarshal.AsBytes(bitmap.AsSpan(done, words)));
            done += words;
        }
        return bitmap;
    }

    /// <summary>Unmaps DMA regions and gets their dirty pages.</summary>
    /// <param name="address">First byte of the range, which consists of whole regions.</param>
    /// <param name="size">In bytes.</param>
    /// <param name="pageSize">Bytes that a bit of the result stands for; a power of two.</param>
    /// <returns>As <see cref="GetDirtyPages(ulong, ulong, ulong)"/>.</returns>
    /// <remarks>Not in the specification: VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP of <c>linux/vfio.h</c>, as in libvfio-user.</remarks>
    public ulong[] UnmapDmaWithDirtyPages(ulong address, ulong size, ulong pageSize)
    {
        const int FixedSize = DmaUnmap.WireSize + DirtyBitmap.WireSize;
        CheckPages(size, pageSize);
        ulong[] bitmap = new ulong[WordsOf(size, pageSize)];
        uint bytes = (uint)bitmap.Length * sizeof(ulong);
        Span<byte> request = stackalloc byte[FixedSize];
        WireFormat.Write(request, new DmaUnmap(FixedSize + bytes, DmaUnmapFlags.GetDirtyBitmap, address, size));
        WireFormat.Write(request[DmaUnmap.WireSize..], new DirtyBitmap(pageSize, bytes));
        using Reply reply = Call(Command.DmaUnmap, request);
        if (reply.Payload.Length != FixedSize + bytes)
            throw new VfioUserException(Command.DmaUnmap, Errno.EBADMSG);
        reply.Payload[FixedSize..].CopyTo(MemoryMarshal.AsBytes(bitmap.AsSpan()));
        return bitmap;
    }

    private void GetDirtyPages(ulong address, ulong length, ulong pageSize, Span<byte> bitmap)
    {
        const int FixedSize = DeviceFeature.WireSize + DmaLoggingReport.WireSize;
        Span<byte> request = stackalloc byte[FixedSize];
        WireFormat.Write(request, new DeviceFeature((uint)(FixedSize + bitmap.Length), FlagsOf(DeviceFeatureId.DmaLoggingReport, DeviceFeatureFlags.Get)));
        WireFormat.Write(request[DeviceFeature.WireSize..], new DmaLoggingReport(address, length, pageSize));
        using Reply reply = Call(Command.DeviceFeature, request);
        if (reply.Payload.Length != FixedSize + bitmap.Length)
            throw new VfioUserException(Command.DeviceFeature, Errno.EBADMSG);
        reply.Payload[FixedSize..].CopyTo(bitmap);
    }

    private static void CheckPages(ulong length, ulong pageSize)
    {
        if (!System.Numerics.BitOperations.IsPow2(pageSize))
            throw new ArgumentOutOfRangeException(nameof(pageSize), pageSize, "A page size is a power of two.");
        ArgumentOutOfRangeException.ThrowIfLessThan(length, pageSize);
    }

    private static ulong WordsOf(ulong length, ulong pageSize) => ((length - 1) / pageSize / 64) + 1;
}
