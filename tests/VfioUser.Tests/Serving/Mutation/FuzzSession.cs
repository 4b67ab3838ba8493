using System.Diagnostics;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser.Tests.Serving;

/// <summary>One client that says mutated messages until it is cut off or has nothing more to say, and drops what it hears.</summary>
internal sealed class FuzzSession : IDisposable
{
    private const int BatchSize = 32 << 10;
    private readonly RawClient _client;
    private readonly Mutator _mutator;
    private readonly SafeHandle _eventFd;
    private readonly SafeHandle[] _files;
    private readonly string _proposal;
    private readonly byte[] _batch = new byte[BatchSize + Mutator.MaxLength];
    private readonly byte[] _heard = new byte[64 << 10];
    private int _filled;
    private RawClient? _twin;
    private bool _over;

    public FuzzSession(FuzzTarget target, Mutator mutator, SafeHandle eventFd, SafeHandle[] files)
    {
        _client = RawClient.Connect(target.Address);
        _mutator = mutator;
        _mutator.Begin(target.Scripts);
        _proposal = _mutator.Once(4) ? Served.TwinProposal : Served.QemuProposal;
        _eventFd = eventFd;
        _files = files;
    }

    /// <summary>Negotiates, usually.</summary>
    public void Begin()
    {
        byte[] version = RawClient.Message(1, Command.Version, Served.Version(0, 1, _proposal));
        if (_mutator.Once(20))
        {
            for (int times = _mutator.Random.Next(1, 6); times > 0; times--)
                version[_mutator.Random.Next(version.Length)] = (byte)_mutator.Random.Next(256);
            Send(version, default);
            return;
        }
        _client.SayBytes(version);
        if (ReferenceEquals(_proposal, Served.TwinProposal))
            TakeTwin();
        if (_mutator.Once(2))
            SetUp();
    }

    // as a driver does it, so that there is something to spoil
    private void SetUp()
    {
        for (ulong page = 0; page < 4; page++)
        {
            byte[] map = RawClient.Message(1, Command.DmaMap, new DmaMap(32, (DmaMapFlags)3, 0, page * Corpus.FileSize, Corpus.FileSize), MessageFlags.NoReply);
            Send(map, page == 3 ? [] : [AnyFile()]);
        }
        byte[] set = RawClient.Message(1, Command.DeviceSetIrqs, new IrqSet(20, (IrqSetFlags)0x24, 2, 0, 8), MessageFlags.NoReply);
        Send(set, [.. Enumerable.Repeat(_eventFd, 8)]);
    }

    /// <summary>Says up to <paramref name="count"/> messages.</summary>
    /// <returns>How many were sent.</returns>
    public int Talk(int count)
    {
        int sent = 0;
        for (; sent < count && !_over; sent++)
        {
            if (_twin is not null && _mutator.Once(30))
                SayOnTwin(_twin);
            bool carries = _mutator.Once(15);
            if (carries && !_mutator.Once(8))
                Flush(default); // usually they get a write of their own
            int start = _filled;
            _filled += _mutator.Next(_batch.AsSpan(start), carries);
            if (carries)
                Flush(Descriptors(Due(_batch.AsSpan(start, _filled - start))));
            else if (_filled >= BatchSize || _mutator.Once(200))
                Flush(default);
        }
        if (_mutator.Once(4) && _filled > 0)
            _filled -= _mutator.Random.Next(_filled); // and stops in the middle
        Flush(default);
        return sent;
    }

    /// <summary>Hangs up, and waits until the server has done so.</summary>
    public void End()
    {
        if (_mutator.Once(10))
            return; // without another word
        _client.StopTalking();
        long start = Stopwatch.GetTimestamp();
        SocketCalls.SetReceiveTimeout(_client.Socket, TimeSpan.FromMilliseconds(100));
        while (Hear(0) != Heard.End)
            ThrowIfStuck(start, "the server does not hang up");
    }

    public void Dispose()
    {
        _twin?.Dispose();
        _client.Dispose();
    }

    // how many descriptors a message should have
    private static int Due(ReadOnlySpan<byte> message) =>
        WireFormat.TryRead(message, out MessageHeader header) && header.Command == Command.DeviceSetIrqs
        && WireFormat.TryRead(message[MessageHeader.WireSize..], out IrqSet set) && set.Count <= 16 ? (int)set.Count : 1;

    private SafeHandle[] Descriptors(int due)
    {
        int count = _mutator.Once(10) ? _mutator.Random.Next(40) : due;
        bool isValid = !_mutator.Once(4);
        SafeHandle[] descriptors = new SafeHandle[count];
        for (int i = 0; i < count; i++)
            descriptors[i] = isValid && due > 1 ? _eventFd : AnyFile();
        return descriptors;
    }

    private SafeHandle AnyFile() => _files[_mutator.Random.Next(_files.Length)];

    // and often hangs up there
    private void TakeTwin()
    {
        using FdList? fds = _client.Hear().Fds;
        if (fds is not { Count: 1 })
            return;
        using (Microsoft.Win32.SafeHandles.SafeFileHandle end = fds.Take(0))
            _twin = new RawClient(SocketCalls.Duplicate(end));
        if (_mutator.Once(2))
            SayOnTwin(_twin);
        if (!_mutator.Once(2))
            return;
        _twin.Dispose();
        _twin = null;
    }

    // whatever; when it is not taken, then not
    private void SayOnTwin(RawClient twin)
    {
        byte[] garbage = new byte[Mutator.MaxLength];
        int length = _mutator.Next(garbage, mayCarry: false);
        SocketCalls.Send(twin.Socket, garbage.AsSpan(0, length), default, _mutator.Once(4) ? Descriptors(2) : [], Libc.MsgDontWait);
    }

    private void Flush(ReadOnlySpan<SafeHandle> fds)
    {
        int cut = _filled > 1 && _mutator.Once(3) ? _mutator.Random.Next(1, _filled) : _filled;
        Send(_batch.AsSpan(0, cut), fds);
        Send(_batch.AsSpan(cut, _filled - cut), default);
        _filled = 0;
    }

    // never waits for a server that waits for us
    private void Send(ReadOnlySpan<byte> bytes, ReadOnlySpan<SafeHandle> fds)
    {
        long start = Stopwatch.GetTimestamp();
        while (!bytes.IsEmpty && !_over)
        {
            int sent = SocketCalls.Send(_client.Socket, bytes, default, fds, Libc.MsgDontWait);
            if (sent > 0)
            {
                bytes = bytes[sent..];
                fds = default;
                continue;
            }
            if ((Errno)(-sent) != Errno.EAGAIN)
            {
                _over = true;
                return;
            }
            if (Hear(Libc.MsgDontWait) == Heard.Nothing)
                PollCalls.WaitWritable(_client.Socket, 10);
            ThrowIfStuck(start, "the server does not take what is said");
        }
        Hear(Libc.MsgDontWait);
    }

    private enum Heard
    {
        Something,
        Nothing,
        End,
    }

    private Heard Hear(int flags)
    {
        Heard heard = Heard.Nothing;
        while (true)
        {
            FdList? fds = null;
            int received = SocketCalls.Receive(_client.Socket, _heard, flags, ref fds, out _);
            fds?.Dispose();
            if (received <= 0)
                return (Errno)(-received) == Errno.EAGAIN ? heard : Heard.End;
            heard = Heard.Something;
        }
    }

    private static void ThrowIfStuck(long start, string what)
    {
        if (Stopwatch.GetElapsedTime(start) > Wait.Bound)
            throw new TimeoutException($"For {Wait.Bound} {what}.");
    }
}
