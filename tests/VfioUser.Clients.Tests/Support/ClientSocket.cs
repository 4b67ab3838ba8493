using System.Net.Sockets;
using System.Runtime.InteropServices;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser.Clients.Tests;

/// <summary>A client's end of the socket: system calls as the originals make them, one for one, but none waits for ever.</summary>
internal sealed class ClientSocket : IDisposable
{
    private readonly SafeSocketHandle _socket;
    private readonly string _who;

    private ClientSocket(string who, SafeSocketHandle socket)
    {
        _who = who;
        _socket = socket;
        SocketCalls.SetReceiveTimeout(socket, Bound.Timeout);
    }

    public static ClientSocket Connect(string who, string address)
    {
        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Connect(new UnixDomainSocketEndPoint(address[0] == '@' ? "\0" + address[1..] : address));
        return new ClientSocket(who, SocketCalls.Duplicate(socket.SafeHandle));
    }

    /// <summary>One <c>sendmsg</c> or <c>writev</c> of up to two pieces. The server reads, so that it takes all.</summary>
    public void Send(ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> more = default, params ReadOnlySpan<SafeHandle> fds)
    {
        int sent = SocketCalls.Send(_socket, bytes, more, fds, flags: 0);
        if (sent != bytes.Length + more.Length)
            throw new ClientStuckException($"{_who} sends {bytes.Length + more.Length} bytes: {(sent < 0 ? (Errno)(-sent) : sent)}.");
    }

    /// <summary>One write that does not wait.</summary>
    /// <returns>How many bytes the socket took; 0 when it is full.</returns>
    public int SendNow(ReadOnlySpan<byte> bytes, params ReadOnlySpan<SafeHandle> fds)
    {
        int sent = SocketCalls.Send(_socket, bytes, default, fds, Libc.MsgDontWait);
        if (sent < 0 && sent != -(int)Errno.EAGAIN)
            throw new ClientStuckException($"{_who} sends {bytes.Length} bytes: {(Errno)(-sent)}.");
        return Math.Max(sent, 0);
    }

    /// <summary>Waits until a write that does not wait takes something.</summary>
    public void WaitWritable(string why)
    {
        if (!PollCalls.WaitWritable(_socket, (int)Bound.Timeout.TotalMilliseconds))
            throw new ClientStuckException($"{_who} cannot send {why}: the server read nothing for {Bound.Timeout}.");
    }

    /// <summary>Waits until the socket takes something, or has something.</summary>
    public void WaitWritableOrReadable(string why)
    {
        using CancellationTokenSource end = new(Bound.Timeout);
        while (!PollCalls.WaitWritable(_socket, 10) && !PollCalls.WaitReadable(_socket, 10))
        {
            if (end.IsCancellationRequested)
                throw new ClientStuckException($"{_who} cannot send {why}, and hears nothing, for {Bound.Timeout}.");
        }
    }

    public bool IsReadable(TimeSpan within) => PollCalls.WaitReadable(_socket, (int)within.TotalMilliseconds);

    /// <summary>Waits until there is something to read.</summary>
    public void WaitReadable(string why)
    {
        if (!PollCalls.WaitReadable(_socket, (int)Bound.Timeout.TotalMilliseconds))
            throw new ClientStuckException($"{_who} waits for {why}, and nothing came for {Bound.Timeout}.");
    }

    /// <summary>One <c>recvmsg</c>, which may bring less than the buffer holds.</summary>
    /// <param name="buffer">Where to.</param>
    /// <param name="why">What it waits for.</param>
    /// <param name="fds">What came with the bytes, behind what is there already.</param>
    /// <param name="flags"><see cref="Libc.MsgWaitAll"/>, or <see cref="Libc.MsgDontWait"/>, with which it gives -1 when there is nothing.</param>
    /// <returns>Bytes; 0 at the end of the stream.</returns>
    public int Receive(Span<byte> buffer, string why, ref FdList? fds, int flags = 0)
    {
        int received = SocketCalls.Receive(_socket, buffer, flags, ref fds, out bool truncated);
        truncated.Should().BeFalse();
        if (received == -(int)Errno.EAGAIN && (flags & Libc.MsgDontWait) != 0)
            return -1;
        if (received == -(int)Errno.EAGAIN)
            throw new ClientStuckException($"{_who} waits for ever: it wants {buffer.Length} bytes of {why}, and none came for {Bound.Timeout}.");
        return Math.Max(received, 0); // a reset is an end, too
    }

    /// <summary>Reads until it has all, whatever was said of the size: as <c>read_exact</c>.</summary>
    public byte[] ReadExactly(int count, string why)
    {
        FdList? fds = null;
        byte[] bytes = new byte[count];
        int have = 0;
        while (have < count)
        {
            int received;
            try
            {
                received = Receive(bytes.AsSpan(have), why, ref fds);
            }
            catch (ClientStuckException)
            {
                throw new ClientStuckException(
                    $"{_who} waits for ever: it reads {count} bytes for {why}, and {have} came: {Convert.ToHexString(bytes.AsSpan(0, have))}.");
            }
            if (received == 0)
                throw new ClientStuckException($"{_who} reads {count} bytes for {why}; the server hung up after {have}.");
            have += received;
        }
        fds.Should().BeNull("nothing but a region's description brings descriptors");
        return bytes;
    }

    /// <summary>Ends both directions, as a client that is still there.</summary>
    public void Shutdown() => SocketCalls.Shutdown(_socket);

    /// <summary>All that the server says until it closes the connection.</summary>
    public byte[] ReadToTheEnd()
    {
        List<byte> bytes = [];
        byte[] buffer = new byte[4096];
        FdList? fds = null;
        while (Receive(buffer, "the end of the stream", ref fds) is > 0 and int received)
            bytes.AddRange(buffer.AsSpan(0, received));
        fds?.Dispose();
        return [.. bytes];
    }

    /// <summary>Nothing is left of what the server said: whatever was read as one message was one.</summary>
    public void ShouldBeDrained()
    {
        FdList? fds = null;
        byte[] rest = new byte[64];
        int received = Receive(rest, "nothing", ref fds, Libc.MsgDontWait);
        fds?.Dispose();
        received.Should().BeLessThanOrEqualTo(0, "{0} takes what is left for its next reply: {1}", _who,
            Convert.ToHexString(rest.AsSpan(0, Math.Max(received, 0))));
    }

    public void Dispose() => _socket.Dispose();
}
