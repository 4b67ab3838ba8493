using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol.Interop;

namespace VfioUser.Protocol.Tests.Transport;

[Collection(CountsDescriptors.Name)]
public sealed class DescriptorLeakTests
{
    [Fact]
    public void A_conversation_with_all_kinds_of_descriptors_leaves_none()
    {
        int before = CountsDescriptors.Open();

        for (int i = 0; i < 20; i++)
        {
            using TestFile file = new();
            (RawPeer peer, MessageChannel channel) = RawPeer.ConnectChannel();
            SafeHandle[] many = [.. Enumerable.Repeat<SafeHandle>(file.Handle, 100)];
            peer.Write(Frame.DmaMap(1), file.Handle); // taken
            peer.Write(Frame.DmaMap(2), file.Handle); // left
            peer.Write(Frame.DmaMap(3), many.AsSpan(0, 17)); // too many
            peer.Write(Frame.DmaMap(4), many); // truncated
            peer.Write(Frame.DmaMap(5), file.Handle); // never handled
            peer.Write(Frame.DmaMap(6).AsSpan(0, 20), file.Handle); // never complete
            peer.Dispose();

            Incoming.Next(channel).Fds!.Take(0).Dispose();
            Incoming.Next(channel).Fds!.Dispose();
            Incoming.Next(channel).FdProblem.Should().Be(Errno.EINVAL);
            Incoming.Next(channel).FdProblem.Should().Be(Errno.EINVAL);
            channel.Dispose();
        }

        CountsDescriptors.Open().Should().Be(before);
    }
}
