using System.Runtime.InteropServices;

namespace VfioUser.Disks;

/// <summary>Linux's asynchronous I/O, as <c>io_submit(2)</c> and its siblings: of files that are used past the page cache.</summary>
internal static partial class LinuxAio
{
    // linux/aio_abi.h
    public const ushort Read = 0;
    public const ushort Write = 1;

    // asm/unistd_64.h, asm-generic/unistd.h
    private static readonly bool IsX64 = RuntimeInformation.ProcessArchitecture == Architecture.X64;
    private static readonly long SetupCall = IsX64 ? 206 : 0;
    private static readonly long DestroyCall = IsX64 ? 207 : 1;
    private static readonly long SubmitCall = IsX64 ? 209 : 2;
    private static readonly long GetEventsCall = IsX64 ? 208 : 4;

    /// <summary>What is asked for.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct ControlBlock
    {
        public ulong Data;
        public uint Key;
        public int Flags;
        public ushort Opcode;
        public short Priority;
        public uint File;
        public ulong Buffer;
        public ulong Length;
        public long Offset;
        public ulong Reserved;
        public uint MoreFlags;
        public uint EventFd;
    }

    /// <summary>What became of it.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Event
    {
        public ulong Data;
        public ulong Block;
        public long Result;
        public long Result2;
    }

    /// <summary>Makes a context.</summary>
    /// <returns>False where the system has none, or none left.</returns>
    public static bool TrySetup(int count, out nint context)
    {
        context = 0;
        return SystemCall(SetupCall, (nuint)count, ref context) == 0;
    }

    /// <summary>Ends a context, in which nothing is under way. Whoever waits for events gets an error.</summary>
    public static void Destroy(nint context) => SystemCall(DestroyCall, context);

    /// <summary>Begins what control blocks ask for, in order.</summary>
    /// <param name="context">Where.</param>
    /// <param name="blocks">Their addresses.</param>
    /// <returns>How many were begun, or below 0 the errno of the first.</returns>
    public static int Submit(nint context, ReadOnlySpan<nint> blocks)
    {
        nint begun = SystemCall(SubmitCall, context, blocks.Length, blocks);
        return begun >= 0 ? (int)begun : -Marshal.GetLastPInvokeError();
    }

    /// <summary>Waits for at least one event.</summary>
    /// <returns>How many there are, or below 0 an errno.</returns>
    public static int Wait(nint context, Span<Event> events)
    {
        nint count = SystemCall(GetEventsCall, context, 1, events.Length, events, 0);
        return count >= 0 ? (int)count : -Marshal.GetLastPInvokeError();
    }

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint SystemCall(long number, nuint count, ref nint context);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint SystemCall(long number, nint context);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint SystemCall(long number, nint context, nint count, ReadOnlySpan<nint> blocks);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint SystemCall(long number, nint context, nint least, nint most, Span<Event> events, nint timeout);
}
