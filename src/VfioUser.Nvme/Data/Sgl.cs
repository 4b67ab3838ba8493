using System.Runtime.InteropServices;

namespace VfioUser.Nvme;

/// <summary>Scatter gather lists: blocks of any length at any address, in a chain of segments. NVMe 1.4 4.4.</summary>
internal static class Sgl
{
    // most segments of a list: a chain of segments without data could be endless
    private const int MaxSegments = 64;
    private const int MaxDescriptors = 4096;

    /// <summary>Collects the pieces of a list.</summary>
    /// <param name="first">The descriptor in the command.</param>
    /// <param name="length">Of the data, in bytes: the list must describe exactly that many.</param>
    /// <param name="scratch">Room for descriptors, a multiple of 16.</param>
    /// <param name="buffer">Empty; gets the pieces.</param>
    public static Status Map(in SglDescriptor first, int length, Span<byte> scratch, NvmeData buffer)
    {
        if (first.SubType != 0)
            return Status.SglTypeInvalid;
        switch (first.Type)
        {
            case SglType.DataBlock:
                Status status = Add(first, length, buffer);
                return status != Status.Success || buffer.Length == length ? status : Status.DataSglLengthInvalid;
            case SglType.Segment or SglType.LastSegment:
                return MapSegments(first, length, scratch, buffer);
            default:
                return Status.SglTypeInvalid;
        }
    }

    private static Status MapSegments(SglDescriptor segment, int length, Span<byte> scratch, NvmeData buffer)
    {
        int descriptors = 0;
        for (int i = 0; i < MaxSegments; i++)
        {
            if (segment.Length == 0 || segment.Length % SglDescriptor.WireSize != 0)
                return Status.InvalidSglSegment;
            descriptors += (int)Math.Min(segment.Length / SglDescriptor.WireSize, MaxDescriptors + 1);
            if (descriptors > MaxDescriptors)
                return Status.InvalidSglCount;
            Status status = MapSegment(segment, length, scratch, buffer, out SglDescriptor? next);
            if (status != Status.Success)
                return status;
            if (next is null)
                return buffer.Length == length ? Status.Success : Status.DataSglLengthInvalid;
            segment = next.Value;
        }
        return Status.InvalidSglCount;
    }

    private static Status MapSegment(in SglDescriptor segment, int length, Span<byte> scratch, NvmeData buffer, out SglDescriptor? next)
    {
        next = null;
        for (uint done = 0; done < segment.Length;)
        {
            Span<byte> bytes = scratch[..(int)Math.Min((uint)scratch.Length, segment.Length - done)];
            if (!buffer.Dma.TryRead(new Iova(segment.Address) + done, bytes))
                return Status.DataTransferError;
            done += (uint)bytes.Length;
            ReadOnlySpan<SglDescriptor> descriptors = MemoryMarshal.Cast<byte, SglDescriptor>(bytes);
            for (int i = 0; i < descriptors.Length; i++)
            {
                SglDescriptor descriptor = descriptors[i];
                if (descriptor.SubType != 0)
                    return Status.SglTypeInvalid;
                if (descriptor.Type is SglType.Segment or SglType.LastSegment)
                {
                    // only the last descriptor of a segment that is not the last one may point to a segment
                    if (segment.Type == SglType.LastSegment || done < segment.Length || i != descriptors.Length - 1)
                        return Status.InvalidSglSegment;
                    next = descriptor;
                    return Status.Success;
                }
                Status status = descriptor.Type == SglType.DataBlock ? Add(descriptor, length, buffer) : Status.SglTypeInvalid;
                if (status != Status.Success)
                    return status;
            }
        }
        return segment.Type == SglType.LastSegment ? Status.Success : Status.InvalidSglSegment;
    }

    private static Status Add(in SglDescriptor block, int length, NvmeData buffer)
    {
        if (block.Length > (uint)(length - buffer.Length))
            return Status.DataSglLengthInvalid;
        return buffer.TryAdd(block.Address, (int)block.Length) ? Status.Success : Status.InvalidSglCount;
    }
}
