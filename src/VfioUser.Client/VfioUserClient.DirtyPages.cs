using System.Runtime.InteropServices;
using VfioUser.Protocol;

namespace VfioUser.Client;

/// <content>Which pages the device writes.</content>
public sealed partial class VfioUserClient
{
    /// <summary>Has the server log which pages the device writes. Spec: VFIO_DEVICE_FEATURE_DMA_LOGGING_START.</summary>
    /// <param name="pageSize">Bytes a page, as the client would like them.</param>
    /// <param name="ranges">Memory that the client is interested in; all of it when there are none.</param>
    /// <returns>Bytes a page, as the server has chosen.</returns>
    /// <remarks>Memory that the server reaches by message is not logged: the client carries out those writes itself.</remarks>
    public ulong StartDirtyPages(ulong pageSize, params ReadOnlySpan<DmaLoggingRange> ranges) =>
        SetFeature(DeviceFeatureId.DmaLoggingStart, new DmaLoggingControl(pageSize, (uint)ranges.Length, 0), MemoryMarshal.AsBytes(ranges)).PageSize;

    /// <summary>Ends the log. Spec: VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP.</summary>
    public void StopDirtyPages() => SetFeature(DeviceFeatureId.DmaLoggingStop, new DmaLoggingControl(0, 0, 0));

    /// <summary>Asks which pages the device has written since the last time. Spec: VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT.</summary>
    /// <param name="address">First byte of the range.</param>
    /// <param name="length">In bytes, at least <paramref name="pageSize"/>.</param>
    /// <param name="pageSize">Bytes that a bit of the result stands for; a power of two.</param>
    /// <returns>Bit n of the words, lowest first, stands for the n-th page from <paramref name="address"/> on.</returns>
    /// <remarks>What was reported is clean. A bitmap that is too long for a message is asked for in pieces.</remarks>
    public ulong[] GetDirtyPages(ulong address, ulong length, ulong pageSize)
    {
        CheckPages(length, pageSize);
        ulong[] bitmap = new ulong[WordsOf(length, pageSize)];
        // whole words, and never a rest that is shorter than a page
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

    /// <summary>Closes memory to the device, and asks which pages of it the device has written until then.</summary>
    /// <param name="address">First byte of the range, which cuts no region.</param>
    /// <param name="size">In bytes.</param>
    /// <param name="pageSize">Bytes that a bit of the result stands for; a power of two.</param>
    /// <returns>As <see cref="GetDirtyPages(ulong, ulong, ulong)"/>.</returns>
    /// <remarks>Not in the specification: VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP of <c>linux/vfio.h</c>, as in libvfio-user.</remarks>
    public ulong[] UnmapDmaWithDirtyPages(ulong address, ulong size, ulong pageSize)
    {
        const int Head = DmaUnmap.WireSize + DirtyBitmap.WireSize;
        CheckPages(size, pageSize);
        ulong[] bitmap = new ulong[WordsOf(size, pageSize)];
        uint bytes = (uint)bitmap.Length * sizeof(ulong);
        Span<byte> request = stackalloc byte[Head];
        WireFormat.Write(request, new DmaUnmap(Head + bytes, DmaUnmapFlags.GetDirtyBitmap, address, size));
        WireFormat.Write(request[DmaUnmap.WireSize..], new DirtyBitmap(pageSize, bytes));
        using Reply reply = Call(Command.DmaUnmap, request);
        if (reply.Payload.Length != Head + bytes)
            throw new VfioUserException(Command.DmaUnmap, Errno.EBADMSG);
        reply.Payload[Head..].CopyTo(MemoryMarshal.AsBytes(bitmap.AsSpan()));
        return bitmap;
    }

    private void GetDirtyPages(ulong address, ulong length, ulong pageSize, Span<byte> bitmap)
    {
        const int Head = DeviceFeature.WireSize + DmaLoggingReport.WireSize;
        Span<byte> request = stackalloc byte[Head];
        WireFormat.Write(request, new DeviceFeature((uint)(Head + bitmap.Length), FlagsOf(DeviceFeatureId.DmaLoggingReport, DeviceFeatureFlags.Get)));
        WireFormat.Write(request[DeviceFeature.WireSize..], new DmaLoggingReport(address, length, pageSize));
        using Reply reply = Call(Command.DeviceFeature, request);
        if (reply.Payload.Length != Head + bitmap.Length)
            throw new VfioUserException(Command.DeviceFeature, Errno.EBADMSG);
        reply.Payload[Head..].CopyTo(bitmap);
    }

    private static void CheckPages(ulong length, ulong pageSize)
    {
        if (!System.Numerics.BitOperations.IsPow2(pageSize))
            throw new ArgumentOutOfRangeException(nameof(pageSize), pageSize, "A page size is a power of two.");
        ArgumentOutOfRangeException.ThrowIfLessThan(length, pageSize);
    }

    private static ulong WordsOf(ulong length, ulong pageSize) => ((length - 1) / pageSize / 64) + 1;
}
