using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol.Interop;

namespace VfioUser.Limits.Tests;

/// <summary>A message brings 16 descriptors to a process that has room for 5.</summary>
internal static class ReceivingScenario
{
    public static void Run()
    {
        using TestFile file = new();
        (RawPeer peer, MessageSocket socket) = RawPeer.Connect();
        using (socket)
        using (peer)
        {
            peer.Write(Frame.RegionRead(7));
            Incoming.Next(socket).FdProblem.Should().Be(Errno.None, "and what a receive needs is loaded");
            peer.Write(Frame.DmaMap(1), [.. Enumerable.Repeat<SafeHandle>(file.Handle, 16)]);
            peer.Write(Frame.DmaMap(2), file.Handle);

            Incoming refused;
            using (Fullness.Leave(5))
                refused = Incoming.Next(socket);
            Incoming after = Incoming.Next(socket);

            refused.FdProblem.Should().Be(Errno.EMFILE);
            refused.FdCount.Should().Be(0);
            after.FdProblem.Should().Be(Errno.None);
            after.FdCount.Should().Be(1);
            after.Fds!.Dispose();
            file.OpenCopies.Should().Be(0);
        }
    }

    /// <summary>Descriptors that fill this process's table.</summary>
    private sealed class Fullness : IDisposable
    {
        private readonly Stack<SafeFileHandle> _fds = [];

        public static Fullness Leave(int free)
        {
            Limits.Descriptors = 512;
            Fullness full = new();
            using TestFile file = new();
            for (int fd = Duplicate(); fd >= 0; fd = Duplicate())
                full._fds.Push(new SafeFileHandle(fd, ownsHandle: true));
            for (; free > 0; free--)
                full._fds.Pop().Dispose();
            return full;

            int Duplicate() => Libc.Fcntl(file.Handle, Libc.FDupFdCloexec, 0);
        }

        public void Dispose()
        {
            foreach (SafeFileHandle fd in _fds)
                fd.Dispose();
        }
    }
}
