using System.Text;
using Nvme.Driver;
using VfioUser.Nvme.Tests.Support;

namespace VfioUser.Nvme.Tests.Admin;

/// <summary>The names by which a guest tells disks and controllers apart.</summary>
public sealed class DiskNameTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("nvme-");

    public void Dispose() => _folder.Delete(recursive: true);

    private FileDisk Disk(string name) => FileDisk.Open(Path.Combine(_folder.FullName, name), 1 << 20);

    private static (string Serial, string Subsystem, string[] Disks) Names(IReadOnlyList<Disk> disks, NvmeControllerOptions? options = null)
    {
        using Machine machine = new(disks: disks, options: options);
        byte[] controller = machine.Page(NewCommand.Identify(1, default));
        string[] names = [.. Enumerable.Range(1, disks.Count).Select(id =>
            Convert.ToHexString(machine.Page(NewCommand.Identify(3, default, nsid: (uint)id)), 4, 16))];
        return (Encoding.ASCII.GetString(controller, 4, 20), Encoding.ASCII.GetString(controller, 768, 256), names);
    }

    [Fact]
    public void Controllers_without_options_have_names_of_their_own()
    {
        var first = Names([Disk("a")]);
        var second = Names([Disk("b")]);
        var memory = Names([new MemoryDisk(1 << 20)]);
        var otherMemory = Names([new MemoryDisk(1 << 20)]);

        string[] serials = [first.Serial, second.Serial, memory.Serial, otherMemory.Serial];
        serials.Should().OnlyHaveUniqueItems("a guest refuses a second controller of the same name").And.NotContain(serial => string.IsNullOrWhiteSpace(serial));
        ((string[])[first.Subsystem, second.Subsystem, memory.Subsystem, otherMemory.Subsystem]).Should().OnlyHaveUniqueItems();
        ((string[])[.. first.Disks, .. second.Disks, .. memory.Disks, .. otherMemory.Disks]).Should().OnlyHaveUniqueItems();
    }

    [Fact]
    public void Names_stay_when_the_same_disk_is_served_again()
    {
        Names([Disk("a"), Disk("b")]).Should().BeEquivalentTo(Names([Disk("a"), Disk("b")]));
    }

    [Fact]
    public void Names_follow_the_file_and_not_its_place_on_the_command_line()
    {
        NvmeControllerOptions options = new() { SerialNumber = "mine" };

        var there = Names([Disk("a"), Disk("b")], options);
        var back = Names([Disk("b"), Disk("a")], options);

        back.Disks.Should().Equal(there.Disks[1], there.Disks[0]);
        there.Serial.TrimEnd().Should().Be("mine");
    }

    [Fact]
    public void One_file_twice_is_two_disks()
    {
        Disk("a").Dispose();
        string path = Path.Combine(_folder.FullName, "a");

        Names([FileDisk.Open(path, new FileDiskOptions { IsReadOnly = true }), FileDisk.Open(path, new FileDiskOptions { IsReadOnly = true })]).Disks.Should().OnlyHaveUniqueItems();
    }
}
