using System.Net.Sockets;
using System.Text.Json;

namespace VfioUser;

/// <summary>The connection of an inspector: lines of JSON in both directions. One caller at a time.</summary>
/// <param name="socket">Borrowed.</param>
/// <param name="stop">Ends every wait.</param>
internal sealed class Inspector(Socket socket, CancellationToken stop)
{
    /// <summary>Most bytes of a request.</summary>
    public const int MaxRequest = 1024;

    private static readonly TimeSpan SendTimeout = TimeSpan.FromSeconds(10);

    private readonly byte[] _received = new byte[MaxRequest];
    private int _count;
    private int _taken; // bytes of the line that was returned last

    /// <summary>Receives a line.</summary>
    /// <returns>Without its end, valid until the next call; null when the inspector has disconnected, or sent too long a line.</returns>
    public async Task<ReadOnlyMemory<byte>?> ReceiveAsync()
    {
        _received.AsSpan(_taken, _count - _taken).CopyTo(_received);
        _count -= _taken;
        _taken = 0;
        while (true)
        {
            int end = _received.AsSpan(0, _count).IndexOf((byte)'\n');
            if (end >= 0)
            {
                _taken = end + 1;
                return _received.AsMemory(0, end);
            }
            if (_count == MaxRequest)
            {
                await SendAsync(new InspectionAnswer { Error = FormattableString.Invariant($"a request has at most {MaxRequest} bytes") }).ConfigureAwait(false);
                return null;
            }
            int received = await socket.ReceiveAsync(_received.AsMemory(_count), stop).ConfigureAwait(false);
            if (received == 0)
                return null;
            _count += received;
        }
    }

    /// <summary>Sends an answer and the end of its line.</summary>
    /// <exception cref="OperationCanceledException">The inspector does not read it, or the server stops.</exception>
    public async Task SendAsync(InspectionAnswer answer)
    {
        byte[] line = [.. JsonSerializer.SerializeToUtf8Bytes(answer, InspectionJson.Default.InspectionAnswer), (byte)'\n'];
        using CancellationTokenSource late = CancellationTokenSource.CreateLinkedTokenSource(stop);
        late.CancelAfter(SendTimeout);
        for (int sent = 0; sent < line.Length;)
            sent += await socket.SendAsync(line.AsMemory(sent), late.Token).ConfigureAwait(false);
    }
}
