using System.Runtime.InteropServices;
using VfioUser.Tool.Tracing;

namespace VfioUser.Tool.Recording;

/// <summary>The header of each record of a recording. Frozen: see <c>docs/trace-format.md</c>.</summary>
/// <param name="Length">Bytes of the record after this field.</param>
/// <param name="Kind">Kind of record.</param>
/// <param name="Way">Direction and socket of a message.</param>
/// <param name="FdCount">Number of <see cref="RecordedFd"/> that follow.</param>
/// <param name="Client">From 1.</param>
/// <param name="Nanoseconds">Since the start.</param>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal readonly record struct RecordHeader(uint Length, RecordKind Kind, byte Way, ushort FdCount, uint Client, long Nanoseconds)
{
    public const int WireSize = 20;

    /// <summary>Bytes of the header that <see cref="Length"/> counts.</summary>
    public const int Counted = WireSize - sizeof(uint);
}

/// <summary>Kinds of records. Frozen.</summary>
internal enum RecordKind : byte
{
    Connected = 1,
    Message = 2,

    /// <summary>Bytes that are no whole message.</summary>
    Piece = 3,

    Disconnected = 4,
}

/// <summary>A descriptor in a recording. Frozen.</summary>
/// <param name="Kind">Kind of descriptor.</param>
/// <param name="Reserved">0.</param>
/// <param name="Size">In bytes, of files.</param>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal readonly record struct RecordedFd(FdKind Kind, uint Reserved, ulong Size)
{
    public const int WireSize = 16;
}

/// <summary>The header of a recording. Frozen.</summary>
/// <param name="Magic"><see cref="Expected"/>.</param>
/// <param name="Version">1.</param>
/// <param name="Size">Of this header, in bytes: where the first record is.</param>
/// <param name="StartMicroseconds">Start of the recording, since 1970.</param>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal readonly record struct RecordingHeader(ulong Magic, uint Version, uint Size, long StartMicroseconds)
{
    public const int WireSize = 24;

    /// <summary><c>VFUTRACE</c></summary>
    public const ulong Expected = 0x45434152_54554656;
}
