using VfioUser.Protocol;
using VfioUser.Tool.Tracing;

namespace VfioUser.Tool.Recording;

/// <summary>Reads a recording, record by record. The file is untrusted.</summary>
internal sealed class RecordingReader : IDisposable
{
    // trace records a message whole up to 16 MiB
    private const int LongestRecord = 32 << 20;

    // in the year 2100, in microseconds
    private const long LatestStart = 4_102_444_800_000_000;
    private readonly FileStream _file;
    // a pipe has no position
    private long _position;

    /// <summary>The warning about a recording that <see cref="IsCutOff"/>.</summary>
    public const string CutOff = "vfio-user: The recording ends within a record, as that of a killed trace does.";

    /// <exception cref="ToolException">The file is no recording.</exception>
    public RecordingReader(string path)
    {
        _file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 64 << 10);
        Span<byte> start = stackalloc byte[RecordingHeader.WireSize];
        bool complete = Fill(start);
        RecordingHeader header = WireFormat.Read<RecordingHeader>(start);
        string? problem = !complete || header.Magic != RecordingHeader.Expected ? "it is no recording of 'vfio-user trace'"
            : header.Version != 1 ? $"it is of version {header.Version}, and only 1 is known"
            : header.Size is < RecordingHeader.WireSize or > LongestRecord ? "its header is damaged"
            : null;
        if (problem is not null)
        {
            _file.Dispose();
            throw new ToolException($"'{path}' cannot be read: {problem}.");
        }
        // a file may say any time; the runtime's go to the year 9999
        Start = header.StartMicroseconds is >= 0 and < LatestStart ? DateTimeOffset.UnixEpoch.AddMicroseconds(header.StartMicroseconds) : DateTimeOffset.UnixEpoch;
        IsCutOff = !Fill(new byte[header.Size - RecordingHeader.WireSize]);
    }

    /// <summary>When the trace began; the start of 1970 if the file has no sensible time.</summary>
    public DateTimeOffset Start { get; }

    /// <summary>Whether the last record is cut off, as after the trace was killed.</summary>
    public bool IsCutOff { get; private set; }

    /// <returns>Null at the end.</returns>
    /// <exception cref="ToolException">The file is damaged.</exception>
    public Recorded? Next()
    {
        Span<byte> start = stackalloc byte[RecordHeader.WireSize];
        long before = _position;
        if (!Fill(start))
        {
            IsCutOff |= _position > before;
            return null;
        }
        RecordHeader header = WireFormat.Read<RecordHeader>(start);
        long rest = (long)header.Length - RecordHeader.Counted;
        int ofFds = header.FdCount * RecordedFd.WireSize;
        if (rest < ofFds || rest > LongestRecord)
            throw Damaged();
        byte[] fds = new byte[ofFds];
        byte[] bytes = new byte[rest - ofFds];
        if (!Fill(fds) || !Fill(bytes))
        {
            IsCutOff = true;
            return null;
        }
        if (header.Kind == RecordKind.Message && bytes.Length < MessageHeader.WireSize)
            throw Damaged();
        return new Recorded(header.Kind, (Way)header.Way, (int)header.Client, TimeSpan.FromTicks(header.Nanoseconds / TimeSpan.NanosecondsPerTick),
            ReadFds(fds), bytes);
    }

    public void Dispose() => _file.Dispose();

    private static FdFacts[] ReadFds(ReadOnlySpan<byte> bytes)
    {
        FdFacts[] fds = new FdFacts[bytes.Length / RecordedFd.WireSize];
        for (int i = 0; i < fds.Length; i++)
        {
            RecordedFd fd = WireFormat.Read<RecordedFd>(bytes[(i * RecordedFd.WireSize)..]);
            fds[i] = new FdFacts(fd.Kind, fd.Size);
        }
        return fds;
    }

    private bool Fill(Span<byte> destination)
    {
        int read = _file.ReadAtLeast(destination, destination.Length, throwOnEndOfStream: false);
        _position += read;
        return read == destination.Length;
    }

    private ToolException Damaged() => new($"'{_file.Name}' is damaged before byte {_position}.");
}
