using VfioUser.Network;

namespace VfioUser.Virtio;

/// <summary>Sends the frames of one of the driver's transmit queues.</summary>
/// <remarks>On the queue's worker. VIRTIO 1.3 5.1.6.2 "Packet Transmission".</remarks>
internal sealed class TransmitQueue(VirtioNet device, int pair)
{
    // what is longer stays in the guest's memory; it is all headers that anybody looks at
    private const int HeadLength = 256;

    private readonly byte[] _head = new byte[VirtioNet.MaxHeaderLength + HeadLength];
    private byte[]? _whole; // for frames in memory that is not mapped
    private long _frames;
    private long _bytes;
    private long _errors;

    public long Frames => Volatile.Read(ref _frames);

    public long Bytes => Volatile.Read(ref _bytes);

    public long Errors => Volatile.Read(ref _errors);

    /// <summary>The queue's handler.</summary>
    public bool Poll(VirtioQueue queue)
    {
        bool worked = false;
        while (queue.TryTake(out VirtioChain? chain))
        {
            worked = true;
            try
            {
                int length = Send(chain.Readable);
                if (length > 0)
                {
                    Volatile.Write(ref _frames, _frames + 1);
                    Volatile.Write(ref _bytes, _bytes + length);
                }
                else
                {
                    Volatile.Write(ref _errors, _errors + 1);
                }
            }
            finally
            {
                chain.Complete();
            }
        }
        return worked;
    }

    /// <returns>Length of the frame; 0 if there is none.</returns>
    private int Send(DmaList buffer)
    {
        int header = device.HeaderLength;
        long length = buffer.Length - header;
        if (length is < NetworkFrame.MinLength or > NetworkFrame.MaxLength || device.Cable is not { } cable)
            return 0;
        Span<byte> bytes = _head.AsSpan(0, header + HeadLength);
        if (buffer.Length < bytes.Length || !buffer.IsMapped(writable: false))
        {
            Span<byte> room = buffer.Length <= bytes.Length ? bytes : _whole ??= new byte[VirtioNet.MaxHeaderLength + NetworkFrame.MaxLength];
            bytes = room[..(int)buffer.Length];
        }
        if (!buffer.TryRead(0, bytes) || !OffloadHeader.TryRead(bytes, out FrameOffload offload))
            return 0;
        // the driver is not trusted to have checked anything
        offload = offload with { IsChecksumValid = false };
        if ((offload.Required & ~device.SendOffloads) != 0 || !offload.IsValidFor((int)length))
            return 0;
        ReadOnlySpan<byte> head = bytes[header..];
        device.Sent(head, pair);
        NetworkFrame frame = head.Length == length
            ? new NetworkFrame(head, offload)
            : new NetworkFrame(head, buffer, bytes.Length, offload);
        frame.SendTo(cable);
        return (int)length;
    }
}
