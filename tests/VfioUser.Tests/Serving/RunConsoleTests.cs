namespace VfioUser.Tests;

public sealed class RunConsoleTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("vfio-user-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_program_serves_until_it_is_cancelled_and_leaves_no_socket()
    {
        string path = Path.Combine(_folder, "card.sock");
        using BlankDevice device = new();
        using CancellationTokenSource stop = new();

        Task<int> program = VfioUserServer.RunConsoleAsync(path, device, cancellation: stop.Token);
        using (Client.VfioUserClient client = Client.VfioUserClient.Connect(path))
            client.Version.Should().NotBeNull();
        await stop.CancelAsync();

        (await program.WaitAsync(Background.Timeout)).Should().Be(0);
        File.Exists(path).Should().BeFalse();
    }

    [Fact]
    public async Task A_path_that_is_taken_is_exit_code_1()
    {
        string path = Path.Combine(_folder, "card.sock");
        using VfioUserServer other = VfioUserServer.Bind(path);
        using BlankDevice device = new();

        (await VfioUserServer.RunConsoleAsync(path, device)).Should().Be(1);

        File.Exists(path).Should().BeTrue("it is the other server's");
    }

    [Theory]
    [InlineData("/run/vm/card.sock", """-device '{"driver":"vfio-user-pci","socket":{"type":"unix","path":"/run/vm/card.sock"}}'""")]
    [InlineData("/tmp/it's \"it\".sock", """-device '{"driver":"vfio-user-pci","socket":{"type":"unix","path":"/tmp/it'\''s \"it\".sock"}}'""")]
    public void Arguments_for_qemu_are_quoted_for_json_and_for_the_shell(string path, string arguments) =>
        VfioUserServer.QemuArgumentsFor(path).Should().Be(arguments);

    [Fact]
    public void A_server_without_a_path_has_no_arguments_for_qemu()
    {
        using VfioUserServer server = VfioUserServer.BindAbstract($"vfio-user-test-{Guid.NewGuid():N}");

        server.Invoking(it => it.QemuArguments).Should().Throw<InvalidOperationException>().WithMessage("*@vfio-user-test*");
    }
}
