using System.Runtime.InteropServices;
using System.Text;

namespace VfioUser.Protocol.Interop;

/// <summary>Calls on a listening socket that another process made.</summary>
internal static unsafe class ListeningCalls
{
    private const int MaxAddress = 128;
    private const int PathOffset = sizeof(ushort);

    /// <summary>Whether a descriptor is a stream socket of AF_UNIX that listens.</summary>
    public static bool IsListeningStream(SafeHandle descriptor) =>
        Option(descriptor, Libc.SoDomain) == Libc.AfUnix
        && Option(descriptor, Libc.SoType) == Libc.SockStream
        && Option(descriptor, Libc.SoAcceptConn) == 1;

    /// <summary>The address it listens on: a path, or <c>@name</c> for an abstract name; null if it has none.</summary>
    public static string? AddressOf(SafeHandle socket)
    {
        byte* address = stackalloc byte[MaxAddress];
        uint length = MaxAddress;
        // SAFETY: the system writes at most length bytes, and sets length to the address's.
        if (Libc.GetSockName(socket, address, &length) != 0 || length <= PathOffset)
            return null;
        ReadOnlySpan<byte> name = new(address + PathOffset, (int)Math.Min(length, MaxAddress) - PathOffset);
        return name[0] == 0 ? "@" + Encoding.UTF8.GetString(name[1..]) : Encoding.UTF8.GetString(name.TrimEnd((byte)0));
    }

    /// <summary>Makes accepts non-blocking, for every process that holds the socket.</summary>
    public static void SetNonBlocking(SafeHandle socket)
    {
        int flags = Libc.Fcntl(socket, Libc.FGetFl, 0);
        if (flags < 0 || Libc.Fcntl(socket, Libc.FSetFl, flags | Libc.ONonBlock) != 0)
            throw Libc.Failure("fcntl(F_SETFL)");
    }

    /// <summary>Keeps the descriptor from programs that this process starts.</summary>
    public static void SetCloseOnExec(SafeHandle descriptor)
    {
        if (Libc.Fcntl(descriptor, Libc.FSetFd, Libc.FdCloexec) != 0)
            throw Libc.Failure("fcntl(F_SETFD)");
    }

    // -1 if it is no socket
    private static int Option(SafeHandle socket, int name)
    {
        int value = 0;
        uint length = sizeof(int);
        // SAFETY: these options are one int.
        return Libc.GetSockOpt(socket, Libc.SolSocket, name, &value, &length) == 0 ? value : -1;
    }
}
