namespace VfioUser.Layers.Tests;

/// <summary>Code names types of its own layer and of those below it, as <c>docs/architecture.md</c> has them.</summary>
public class LayersTests
{
    [Theory]
    [InlineData("VfioUser", "src/VfioUser", "Devices|Registers|ConfigSpace|Regions|Doorbells|Interrupts|GuestMemory|Migration|Threads < Metrics|Serving", 0)]
    [InlineData("VfioUser.Protocol", "src/VfioUser.Protocol", "Wire < Interop < Negotiation < Transport", 0)]
    [InlineData("VfioUser.Disks", "src/VfioUser.Disks", "|Interop < Files|Nbd|Rbd < Addresses", 0)]
    [InlineData("VfioUser.Nvme", "src/VfioUser.Nvme", "Wire < Data|Doorbells < Reservations < Queues < Core < Commands < Workers < Controller", 0)]
    [InlineData("VfioUser.Network", "src/VfioUser.Network", "|Frames < Switching|Tap|Capture|Parts", 0)]
    [InlineData("nvme", "samples/Nvme", "Driver < Cli|", 0)]
    public void Code_names_no_type_of_a_layer_above_its_own(string assembly, string project, string layers, int exceptions)
    {
        string[][] order = [.. layers.Split(" < ").Select(layer => layer.Split('|'))];
        int LayerOf(string folder) => Array.FindIndex(order, layer => layer.Contains(folder.Split('/')[0], StringComparer.Ordinal));

        Arrow[] arrows = Arrows.Of(assembly, project);

        arrows.Should().NotBeEmpty();
        arrows.Where(arrow => LayerOf(arrow.FromFolder) < 0 || LayerOf(arrow.ToFolder) < 0).Should().BeEmpty("each folder has its layer");
        string[] upwards = [.. arrows.Where(arrow => LayerOf(arrow.FromFolder) < LayerOf(arrow.ToFolder)).Select(arrow => arrow.ToString())];
        upwards.Should().HaveCount(exceptions, "these do: {0}", string.Join("\n", upwards));
    }
}
