using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace VfioUser.Protocol.Interop;

/// <summary>SCM_RIGHTS in the control data of a message: how descriptors cross an AF_UNIX socket.</summary>
internal static unsafe class ControlMessage
{
    /// <summary>Descriptors that one receive has room for; the kernel sets MSG_CTRUNC when there were more.</summary>
    public const int MaxReceived = 64;

    private static int HeaderSize => Align(sizeof(Libc.CmsgHdr));

    public static int Space(int fds) => fds == 0 ? 0 : HeaderSize + Align(fds * sizeof(int));

    /// <summary>Wraps each received descriptor before anything else can fail.</summary>
    public static void TakeFds(ReadOnlySpan<byte> control, ref FdList? into)
    {
        while (control.Length >= sizeof(Libc.CmsgHdr))
        {
            Libc.CmsgHdr header = MemoryMarshal.Read<Libc.CmsgHdr>(control);
            int length = (int)Math.Min(header.Length, (nuint)control.Length);
            if (length < sizeof(Libc.CmsgHdr))
                return;
            if (header.Level == Libc.SolSocket && header.Type == Libc.ScmRights)
            {
                foreach (int fd in MemoryMarshal.Cast<byte, int>(control[HeaderSize..length]))
                    (into ??= new FdList()).Add(new SafeFileHandle(fd, ownsHandle: true));
            }
            control = control[Math.Min(Align(length), control.Length)..];
        }
    }

    /// <summary>Lays out one SCM_RIGHTS message in <paramref name="control"/>, which has <see cref="Space"/> bytes.</summary>
    public static void PutFds(Span<byte> control, ReadOnlySpan<int> fds)
    {
        control.Clear();
        MemoryMarshal.Write(control, new Libc.CmsgHdr
        {
            Length = (nuint)(HeaderSize + fds.Length * sizeof(int)),
            Level = Libc.SolSocket,
            Type = Libc.ScmRights,
        });
        MemoryMarshal.AsBytes(fds).CopyTo(control[HeaderSize..]);
    }

    private static int Align(int length) => (length + sizeof(nuint) - 1) & ~(sizeof(nuint) - 1);
}
