using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace VfioUser.Network;

/// <summary>System calls for TAP interfaces. Linux: <c>Documentation/networking/tuntap.rst</c>.</summary>
internal static partial class TapCalls
{
    /// <summary>How long a name may be, in bytes.</summary>
    public const int MaxNameLength = 15; // IFNAMSIZ, less the zero

    // linux/fcntl.h, linux/poll.h
    private const int ReadWrite = 0x0002;
    private const int NonBlocking = 0x0800;
    private const int CloseOnExec = 0x8_0000;
    private const short Readable = 0x0001;

    // linux/if_tun.h, linux/if.h
    private const nuint SetInterface = 0x4004_54CA; // TUNSETIFF
    private const nuint SetOffload = 0x4004_54D0; // TUNSETOFFLOAD
    private const nuint SetHeaderSize = 0x4004_54D8; // TUNSETVNETHDRSZ
    private const ushort Tap = 0x0002;
    private const ushort NoPacketInformation = 0x1000;
    private const ushort VirtioHeader = 0x4000; // IFF_VNET_HDR
    private const nuint ChecksumAndTcp = 0x01 | 0x02 | 0x04 | 0x08; // TUN_F_CSUM, TSO4, TSO6, TSO_ECN
    private const int RequestSize = 40; // struct ifreq
    private const int FlagsOffset = 16;

    private const int Interrupted = 4; // EINTR
    private const int Again = 11; // EAGAIN

    /// <summary>Attaches to an interface, which is made unless it exists.</summary>
    /// <param name="name">Of at most <see cref="MaxNameLength"/> bytes. With <c>%d</c> in it, the kernel chooses a number.</param>
    /// <param name="actual">The interface's name.</param>
    /// <returns>Each frame has an <see cref="OffloadHeader"/> before it.</returns>
    /// <exception cref="IOException">The kernel refuses it.</exception>
    public static SafeFileHandle Attach(string name, out string actual)
    {
        const string Path = "/dev/net/tun";
        int file = Open(Path, ReadWrite | NonBlocking | CloseOnExec);
        if (file < 0)
            throw Failure(Path);
        SafeFileHandle device = new(file, ownsHandle: true);
        Span<byte> request = stackalloc byte[RequestSize];
        request.Clear();
        Encoding.UTF8.GetBytes(name, request[..MaxNameLength]);
        BinaryPrimitives.WriteUInt16LittleEndian(request[FlagsOffset..], Tap | NoPacketInformation | VirtioHeader);
        int headerLength = OffloadHeader.Length;
        if (Ioctl(device, SetInterface, ref MemoryMarshal.GetReference(request)) != 0
            || Ioctl(device, SetHeaderSize, ref Unsafe.As<int, byte>(ref headerLength)) != 0
            || Ioctl(device, SetOffload, ChecksumAndTcp) != 0)
        {
            IOException failure = Failure(name);
            device.Dispose();
            throw failure;
        }
        actual = Encoding.UTF8.GetString(request[..request.IndexOf((byte)0)]);
        return device;
    }

    /// <summary>Waits until the first can be read.</summary>
    /// <returns>False if the second can be read, too, or alone.</returns>
    public static bool WaitForFirst(SafeFileHandle first, SafeFileHandle second)
    {
        Span<PollEntry> entries = [new() { File = (int)first.DangerousGetHandle(), Events = Readable }, new() { File = (int)second.DangerousGetHandle(), Events = Readable }];
        while (Poll(ref MemoryMarshal.GetReference(entries), (nuint)entries.Length, Timeout.Infinite) < 0)
        {
            if (Marshal.GetLastPInvokeError() != Interrupted)
                throw Failure("poll");
        }
        return entries[1].Returned == 0;
    }

    /// <summary>Reads a frame.</summary>
    /// <returns>Its length, what is longer being cut; null if there is none.</returns>
    /// <exception cref="IOException">There will be none any more.</exception>
    public static int? Read(SafeFileHandle device, Span<byte> frame)
    {
        nint length = Read(device, ref MemoryMarshal.GetReference(frame), (nuint)frame.Length);
        if (length > 0)
            return (int)length;
        if (length == 0)
            throw new IOException("The TAP interface has ended.");
        return Marshal.GetLastPInvokeError() is Again or Interrupted ? null : throw Failure("The TAP interface cannot be read");
    }

    /// <summary>Writes a frame.</summary>
    /// <returns>False if it is lost: the interface may be down, or have no room.</returns>
    public static bool Write(SafeFileHandle device, ReadOnlySpan<byte> frame) =>
        Write(device, in MemoryMarshal.GetReference(frame), (nuint)frame.Length) == frame.Length;

    private static IOException Failure(string what)
    {
        int errno = Marshal.GetLastPInvokeError();
        return new IOException($"{what}: {Marshal.GetPInvokeErrorMessage(errno)}", errno);
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static partial int Ioctl(SafeFileHandle file, nuint request, ref byte argument);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static partial int Ioctl(SafeFileHandle file, nuint request, nuint argument);

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static partial int Poll(ref PollEntry entries, nuint count, int timeoutMilliseconds);

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    private static partial nint Read(SafeFileHandle file, ref byte buffer, nuint length);

    [LibraryImport("libc", EntryPoint = "write")]
    private static partial nint Write(SafeFileHandle file, in byte buffer, nuint length);

    private struct PollEntry
    {
        public int File;
        public short Events;
        public short Returned;
    }
}
