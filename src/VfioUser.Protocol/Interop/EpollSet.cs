using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace VfioUser.Protocol.Interop;

/// <summary>An epoll set: descriptors to wait for together, each with a number that the caller chooses.</summary>
/// <remarks>Any thread; descriptors may be added while another thread waits. Level-triggered. See <c>epoll(7)</c>.</remarks>
internal sealed unsafe partial class EpollSet : IDisposable
{
    private const int CloseOnExec = 0x80000;
    private const int AddFd = 1;
    private const int RemoveFd = 2;
    private const int ChangeFd = 3;

    // struct epoll_event is packed on x86-64 and nowhere else
    private static readonly int DataOffset = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 4 : 8;
    private static readonly int EventSize = DataOffset + 8;

    /// <summary>Readable when one of the set is ready; to be borrowed.</summary>
    public SafeFileHandle Handle { get; } = Libc.Own(Create(CloseOnExec), "epoll_create1");

    public void Add(SafeHandle file, Ready interest, int number) => Control(AddFd, file, interest, number);

    public void Change(SafeHandle file, Ready interest, int number) => Control(ChangeFd, file, interest, number);

    public void Remove(SafeHandle file) => Control(RemoveFd, file, Ready.None, 0);

    /// <summary>Waits for some of them.</summary>
    /// <param name="numbers">Filled with those of ready descriptors. If there are more, the next call begins with the others.</param>
    /// <param name="timeoutMilliseconds">0 to return at once, -1 to wait for ever.</param>
    /// <returns>How many are ready.</returns>
    [SkipLocalsInit]
    public int Wait(Span<int> numbers, int timeoutMilliseconds)
    {
        byte* events = stackalloc byte[numbers.Length * EventSize];
        while (true)
        {
            // SAFETY: events is on this stack and has room for that many.
            int count = Wait(Handle, events, numbers.Length, timeoutMilliseconds);
            if (count < 0)
            {
                if (Libc.LastErrno != Errno.EINTR)
                    throw Libc.Failure("epoll_wait");
                continue;
            }
            for (int i = 0; i < count; i++)
                numbers[i] = (int)Unsafe.ReadUnaligned<ulong>(events + i * EventSize + DataOffset);
            return count;
        }
    }

    public void Dispose() => Handle.Dispose();

    private void Control(int operation, SafeHandle file, Ready interest, int number)
    {
        byte* description = stackalloc byte[EventSize];
        // SAFETY: description is on this stack and has this machine's layout of an epoll_event; the handle is held for the call.
        *(uint*)description = (uint)interest;
        Unsafe.WriteUnaligned(description + DataOffset, (ulong)(uint)number);
        bool held = false;
        try
        {
            file.DangerousAddRef(ref held);
            if (Control(Handle, operation, (int)file.DangerousGetHandle(), description) != 0)
                throw Libc.Failure("epoll_ctl");
        }
        finally
        {
            if (held)
                file.DangerousRelease();
        }
    }

    [LibraryImport(Libc.Library, EntryPoint = "epoll_create1", SetLastError = true)]
    private static partial int Create(int flags);

    [LibraryImport(Libc.Library, EntryPoint = "epoll_ctl", SetLastError = true)]
    private static partial int Control(SafeHandle epoll, int operation, int file, byte* description);

    [LibraryImport(Libc.Library, EntryPoint = "epoll_wait", SetLastError = true)]
    private static partial int Wait(SafeHandle epoll, byte* events, int count, int timeoutMilliseconds);
}
