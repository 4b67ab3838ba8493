using Gpio;

namespace VfioUser.Vm.Tests;

/// <summary>A GPIO card, served by this process on a socket of its own.</summary>
internal sealed class ServedCard : IAsyncDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("gpio-");
    private readonly CancellationTokenSource _stop = new();
    private readonly VfioUserServer _server;
    private readonly Task _serving;

    public ServedCard()
    {
        SocketPath = Path.Combine(_folder.FullName, "card.sock");
        _server = VfioUserServer.Bind(SocketPath);
        _serving = _server.RunAsync(Card, _stop.Token);
    }

    public GpioCard Card { get; } = new();

    public string SocketPath { get; }

    /// <summary>Waits until the outputs are as expected: the guest's writes are posted, so its command may end before they arrive.</summary>
    public async Task WaitForOutputs(ushort expected)
    {
        var seen = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        void Look(ushort outputs)
        {
            if (outputs == expected)
            {
                seen.TrySetResult();
            }
        }

        Card.OutputsChanged += Look;
        try
        {
            Look(Card.Outputs);
            await seen.Task.WaitAsync(Timeout);
        }
        catch (TimeoutException exception)
        {
            throw new TimeoutException($"The outputs are 0x{Card.Outputs:x4}, not 0x{expected:x4}", exception);
        }
        finally
        {
            Card.OutputsChanged -= Look;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        try
        {
            await _serving.WaitAsync(Timeout);
        }
        catch (OperationCanceledException) when (_serving.IsCanceled)
        {
            // How serving ends when it is told to.
        }

        _server.Dispose();
        _stop.Dispose();
        _folder.Delete(recursive: true);
    }
}
