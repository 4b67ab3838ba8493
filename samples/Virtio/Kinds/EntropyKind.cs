using System.CommandLine;
using VfioUser.Testing;
using VfioUser.Virtio;
using Virtio.Cli;

namespace Virtio.Kinds;

/// <summary>A source of entropy.</summary>
internal sealed class EntropyKind : DeviceKind
{
    public override string Name => "rng";

    public override string Description => "Serves a source of entropy: /dev/hwrng.";

    public override Task<ServedDevices> OpenAsync(ParseResult parsed, int sockets) => Task.FromResult(new ServedDevices(new VirtioEntropy()));

    public override void Demo(TextWriter output)
    {
        using VirtioEntropy device = new();
        using TestGuest guest = TestGuest.Attach(device);
        VirtioDriver driver = VirtioDriver.Start(guest);

        byte[] random = driver.Queues[0].Request([], answerLength: 16);

        output.WriteLine($"rng: 16 random bytes for the guest: {Convert.ToHexString(random)}");
    }
}
