using VfioUser.Client;
using VfioUser.Nvme.Tests.Support;
using VfioUser.Protocol;
using VfioUser.Testing;
using VfioUser.Tests;

namespace VfioUser.Nvme.Tests.Nbd;

/// <summary>A guest that moves between hosts that reach its disk over NBD.</summary>
public sealed class NbdMigrationTests : IDisposable
{
    private const string Qemu = "qemu-nbd -k SOCKET -f raw -t -e 8 -x disk FOLDER/disk.img";
    private const string Kit = "nbdkit -f -U SOCKET file FOLDER/disk.img";
    private const int Blocks = 512;

    private static readonly NvmeControllerOptions Options = new() { BlockSize = 4096, SerialNumber = "MOVING" };

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("nbd-");

    private string Address => $"nbd+unix:///disk?socket={_folder.FullName}/nbd.sock";

    private string ImagePath => Path.Combine(_folder.FullName, "disk.img");

    public void Dispose() => _folder.Delete(recursive: true);

    private NbdServerProcess Start(string server)
    {
        File.WriteAllBytes(ImagePath, new byte[16 << 20]);
        string[] words = server.Replace("FOLDER", _folder.FullName, StringComparison.Ordinal).Split(' ', 2);
        return NbdServerProcess.Start(words[0], words[1], Path.Combine(_folder.FullName, "nbd.sock"));
    }

    [NbdServerTheory]
    [InlineData(Qemu)]
    [InlineData(Kit)]
    public async Task Guest_that_moves_on_and_on_with_writes_under_way_loses_nothing(string server)
    {
        const int Moves = 6; // hosts keep their connections, and qemu-nbd is told of eight
        using NbdServerProcess process = Start(server);
        List<IDisposable> hosts = [];
        async Task<NvmeController> NewHost()
        {
            NbdDisk disk = await process.ConnectAsync(Address);
            NvmeController controller = new([disk], Options);
            hosts.AddRange([disk, controller]);
            return controller;
        }

        using (MovingGuest guest = new(TestGuest.Attach(await NewHost(), new TestGuestOptions { Timeout = TimeSpan.FromSeconds(60) }), Blocks))
        {
            for (int move = 0; move < Moves; move++)
            {
                NvmeController target = await NewHost();
                guest.BeginWrites();
                guest.MoveTo(source => source.MigrateTo(target));
                guest.EndWrites();
                guest.Verify();
            }
            guest.Flush();

            byte[] image = await File.ReadAllBytesAsync(ImagePath);
            for (int block = 0; block < Blocks; block++)
                image.AsSpan(block * 4096, 4096).SequenceEqual(guest.Expected(block)).Should().BeTrue("block {0} was flushed", block);
        }

        hosts.Reverse();
        hosts.ForEach(host => host.Dispose());
    }

    [NbdServerTheory]
    [InlineData(Qemu)]
    public async Task Guest_whose_migration_fails_goes_on_where_it_was_and_moves_later(string server)
    {
        using NbdServerProcess process = Start(server);
        using NbdDisk here = await process.ConnectAsync(Address), there = await process.ConnectAsync(Address);
        using NvmeController source = new([here], Options), other = new([there], Options with { SerialNumber = "OTHER" }), target = new([there], Options);
        using MovingGuest guest = new(TestGuest.Attach(source, new TestGuestOptions { Timeout = TimeSpan.FromSeconds(60) }), Blocks);

        for (int attempt = 0; attempt < 3; attempt++)
        {
            guest.BeginWrites();
            FluentActions.Invoking(() => guest.Guest.MigrateTo(other)).Should().Throw<VfioUserException>("its disk has another name");
            guest.Guest.Migration.GetState().Should().NotBe(MigrationState.Running);
            guest.Guest.Migration.Resume();
            guest.EndWrites();
            guest.Verify();
        }
        guest.BeginWrites();
        guest.MoveTo(stopped => stopped.MigrateTo(target));
        guest.EndWrites();

        guest.Verify();
    }

    [NbdServerTheory]
    [InlineData(Qemu)]
    public async Task Guest_moves_from_one_process_to_another_and_the_first_may_be_killed(string server)
    {
        using NbdServerProcess process = Start(server);
        using (NbdDisk up = await process.ConnectAsync(Address))
            up.Size.Should().Be(16 << 20);
        string[] Arguments(string socket) => ["serve", socket, "--disk", Address, "--block-size", "4096"];
        string here = Path.Combine(_folder.FullName, "here.sock"), there = Path.Combine(_folder.FullName, "there.sock");
        using SampleProcess source = await SampleProcess.Start("nvme", Arguments(here)), target = await SampleProcess.Start("nvme", [.. Arguments(there), "--incoming"]);
        using MovingGuest guest = new(TestGuest.Connect(here, new TestGuestOptions { Timeout = TimeSpan.FromSeconds(60) }), Blocks);
        guest.BeginWrites();
        guest.EndWrites();

        guest.BeginWrites();
        guest.MoveTo(stopped => stopped.MigrateTo(there));
        source.Kill();
        guest.EndWrites();

        guest.Verify();
        guest.BeginWrites();
        guest.EndWrites();
        guest.Verify();
    }
}
