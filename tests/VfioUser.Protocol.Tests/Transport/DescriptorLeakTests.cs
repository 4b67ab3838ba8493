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

    [Fact]
    public void Descriptors_that_this_process_cannot_hold_are_the_messages_problem_and_not_the_connections()
    {
        using TestFile file = new();
        (RawPeer peer, MessageSocket socket) = RawPeer.Connect();
        using (socket)
        using (peer)
        {
            peer.Write(Frame.RegionRead(7));
            Incoming.Next(socket).FdProblem.Should().Be(Errno.None);
            peer.Write(Frame.DmaMap(1), [.. Enumerable.Repeat<SafeHandle>(file.Handle, 16)]);
            peer.Write(Frame.DmaMap(2), file.Handle);
            using Fullness? full = Fullness.TryLeave(5);
            if (full is null)
                return; // a limit too high to be reached
            Incoming refused = Incoming.Next(socket);
            full.Dispose();
            Incoming after = Incoming.Next(socket);

            refused.FdProblem.Should().Be(Errno.EMFILE);
            refused.FdCount.Should().Be(0);
            after.FdProblem.Should().Be(Errno.None);
            after.FdCount.Should().Be(1);
            after.Fds!.Dispose();
            file.OpenCopies.Should().Be(0);
        }
    }

    /// <summary>Descriptors that fill this process's table up to its limit.</summary>
    private sealed class Fullness : IDisposable
    {
        private const int GiveUp = 2_000_000;
        private readonly Stack<int> _fds = [];

        public static Fullness? TryLeave(int free)
        {
            Fullness full = new();
            using TestFile file = new();
            while (full._fds.Count < GiveUp)
            {
                int fd = Libc.Fcntl(file.Handle, Libc.FDupFdCloexec, 0);
                if (fd < 0)
                {
                    full.Close(free);
                    return full;
                }
                full._fds.Push(fd);
            }
            full.Dispose();
            return null;
        }

        public void Dispose() => Close(_fds.Count);

        private void Close(int count)
        {
            for (int i = 0; i < count; i++)
                new SafeFileHandle(_fds.Pop(), ownsHandle: true).Dispose();
        }
    }
}
