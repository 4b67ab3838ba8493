using System.Buffers;

namespace VfioUser.Network;

/// <summary>Does what a frame leaves to do, for a port that cannot.</summary>
internal static class SoftwareOffload
{
    public static void Send(in NetworkFrame frame, INetworkPort port)
    {
        byte[] rented = ArrayPool<byte>.Shared.Rent(frame.Length);
        try
        {
            // a copy: the guest could change what was checked
            Span<byte> copy = rented.AsSpan(0, frame.Length);
            if (!frame.TryCopyTo(0, copy))
                return;
            if (frame.Offload.Segmentation == FrameSegmentation.None)
                SendWhole(copy, frame.Offload, port);
            else if (TcpSegments.TryParse(copy, frame.Offload, out TcpSegments segments))
                segments.Send(port);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    private static void SendWhole(Span<byte> frame, in FrameOffload offload, INetworkPort port)
    {
        InternetChecksum.TryInsert(frame, offload.ChecksumStart, frame.Length, offload.ChecksumStart + offload.ChecksumOffset);
        port.Send(new NetworkFrame(frame));
    }
}
