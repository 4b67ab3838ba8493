using Gpio;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Vm.Tests;

/// <summary>A GPIO card, served by this process on a socket of its own.</summary>
internal sealed class ServedCard : IAsyncDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    private readonly ServedDevice _served;

    /// <param name="server">Null for the defaults.</param>
    public ServedCard(VfioUserServerOptions? server = null) =>
        _served = new ServedDevice(Card, (server ?? new VfioUserServerOptions()) with { RegisterMap = true }); // as the sample serves it

    public GpioCard Card { get; } = new();

    public string SocketPath => _served.SocketPath;

    /// <summary>Waits until the outputs are as expected: the guest's writes are posted, so its command may end before they arrive.</summary>
    public async Task WaitForOutputs(ushort expected)
    {
        var seen = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        void Check(ushort outputs)
        {
            if (outputs == expected)
            {
                seen.TrySetResult();
            }
        }

        Card.OutputsChanged += Check;
        try
        {
            Check(Card.Outputs);
            await seen.Task.WaitAsync(Timeout);
        }
        catch (TimeoutException exception)
        {
            throw new TimeoutException($"The outputs are 0x{Card.Outputs:x4}, not 0x{expected:x4}", exception);
        }
        finally
        {
            Card.OutputsChanged -= Check;
        }
    }

    public ValueTask DisposeAsync() => _served.DisposeAsync();
}
