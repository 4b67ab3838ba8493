using VfioUser.Network;

namespace VfioUser.Docs.Tests.Network;

internal sealed class FrameCounter : INetworkPort
{
    private long _bytes;

    public long Bytes => Interlocked.Read(ref _bytes);

    // any thread, several at a time
    public void Send(in NetworkFrame frame) => Interlocked.Add(ref _bytes, frame.Length);
}
